// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One recording's pipeline: one agorasrc that is always there tells who comes and goes, and has the
// mix. Raw tracks have one more for each speaker, all of one membership and on one clock, so that
// their samples lie side by side; what is recorded as it was sent comes from the first one's pads.
// Main loop, but for what streaming threads put into lanes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/recorder/cue-book.hpp"
#include "gst/recorder/disk.hpp"
#include "gst/recorder/options.hpp"
#include "gst/recorder/terminal.hpp"

namespace agora::recorder {

class Recording {
 public:
  Recording(const Options &options, Terminal &terminal, GMainLoop *loop);
  ~Recording();
  Recording(const Recording &) = delete;
  Recording &operator=(const Recording &) = delete;

  // Takes the options over; false: `reason`.
  bool prepare (std::string &reason);
  // Joins.
  void start (CueBook &cues, Disk &disk);
  // Until stop(), or a failure.
  void run ();
  // What was said by now is still taken, then the loop ends; a second time, at once.
  void stop ();
  // Nothing more comes.
  void close ();
  // ns since the recording's zero. Any thread.
  std::int64_t now () const;
  std::int64_t end () const { return end_; }
  bool failed () const { return failed_; }
  // As the first element has them.
  std::string app_id () const { return text_of("app-id"); }
  std::string channel () const { return text_of("channel"); }

 private:
  struct Branch {
    ObjectPtr<GstElement> source;  // null: a pad of the first one
    ObjectPtr<GstElement> sink;
    guint leaving = 0;  // a timeout
  };

  std::string text_of (const char *property) const;
  GstElement *make_source (const std::string &name) const;
  // `speaker`: whose raw sound it takes; null: nobody's, or as it was sent.
  GstElement *make_sink (const char *caps, std::shared_ptr<Lane> lane, GstElement *speaker);
  bool add (std::uint32_t uid, GstElement *source);
  void add_speaker (std::uint32_t uid);
  void add_pad (GstPad *pad);
  void too_many (std::uint32_t uid);
  void remove (std::uint32_t uid);
  void leave_soon (std::uint32_t uid, Branch &branch);
  void fail (const std::string &text);
  void quit ();

  void on_message (GstMessage *message);
  void on_news (const GstStructure &news);
  void on_stream (std::uint32_t uid, bool added);
  static gboolean on_bus (GstBus *bus, GstMessage *message, gpointer self) noexcept;
  static void on_pad_added (GstElement *source, GstPad *pad, gpointer self) noexcept;
  static void on_pad_removed (GstElement *source, GstPad *pad, gpointer self) noexcept;

  const Options &options_;
  Terminal &terminal_;
  GMainLoop *const loop_;
  CueBook *cues_ = nullptr;
  Disk *disk_ = nullptr;
  ObjectPtr<GstElement> pipeline_;
  ObjectPtr<GstElement> first_;
  ObjectPtr<GstClock> clock_;
  GstClockTime base_ = 0;
  std::map<std::uint32_t, Branch> branches_;  // raw; by uid
  std::mutex mutex_;                          // guards what follows; a leaf
  std::set<std::uint32_t> left_out_;          // who was told of already
  guint watch_ = 0;
  guint timer_ = 0;  // the end's
  std::int64_t end_ = -1;
  bool failed_ = false;
  bool over_ = false;
};

}  // namespace agora::recorder
