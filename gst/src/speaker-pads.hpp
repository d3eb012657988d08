// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A speaker's own pad of agorasrc: its encoded sound, stamped on the pipeline's clock as the mix
// is, so that recordings of all of them lie side by side. A queue of its own stands before the pad:
// what is downstream can delay nobody, and where nobody is, nothing is disturbed.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

namespace agora {

class SpeakerPad {
 public:
  // Adds the pad speaker_`uid` to `owner`.
  SpeakerPad(GstBin *owner, std::uint32_t uid);
  // Only after close(): the last reference may be let go by a streaming thread.
  ~SpeakerPad();
  SpeakerPad(const SpeakerPad &) = delete;
  SpeakerPad &operator=(const SpeakerPad &) = delete;

  // `buffer` (transfer none) of `caps`, due at running time `pts`. Any thread; never waits for what
  // is downstream.
  void push (GstBuffer *buffer, GstCaps *caps, GstClockTime pts);
  // Running time has come to `now`: says so downstream where no sound does.
  void tick (GstClockTime now);
  // Sends EOS; `done` is called once it has left the pad, from a streaming thread, or at once where
  // nobody listens.
  void end (std::function<void()> done);
  // Takes the pad away; waits for what is downstream of it.
  void close ();
  std::uint32_t uid () const { return uid_; }
  // Running time up to which something was sent.
  GstClockTime sent_until () const;

 private:
  bool begin (GstCaps *caps);
  static gboolean query (GstPad *pad, GstObject *parent, GstQuery *query);
  static GstPadProbeReturn passed (GstPad *pad, GstPadProbeInfo *info, gpointer self);

  GstBin *owner_;
  GstElement *queue_;
  GstPad *feeder_;
  GstPad *ghost_;
  std::uint32_t uid_;
  std::atomic<bool> closed_ = false;
  std::function<void()> done_;  // set once, before the event that leads to it

  mutable std::mutex mutex_;  // guards what follows, and the order of what is fed
  GstCaps *caps_ = nullptr;
  bool ended_ = false;
  bool moved_ = false;  // what comes next doesn't go on from what was sent
  GstClockTime until_ = GST_CLOCK_TIME_NONE;
  GstClockTime ticked_ = 0;
};

}  // namespace agora
