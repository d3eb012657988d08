// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A speaker's own pad of agorasrc: its encoded sound, stamped on the pipeline's clock as the mix
// is, so that recordings of all of them lie side by side. A queue of its own stands before the pad:
// what is downstream can delay nobody, and where nobody is, nothing is disturbed.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
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
  // What goes downstream: a buffer or an event.
  struct Free {
    void operator()(GstMiniObject *item) const { gst_mini_object_unref(item); }
  };
  using Item = std::unique_ptr<GstMiniObject, Free>;
  using Lock = std::unique_lock<std::mutex>;

  // With the lock held.
  void begin (GstCaps *caps);
  void queue (gpointer item);
  // Gives it back.
  void send (Lock lock);
  void push_item (Item item);
  void finish ();
  static gboolean query (GstPad *pad, GstObject *parent, GstQuery *query) noexcept;
  static GstPadProbeReturn passed (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;

  GstBin *owner_;
  GstElement *queue_;
  GstPad *feeder_;
  GstPad *ghost_;
  std::uint32_t uid_;
  std::atomic<bool> closed_ = false;
  std::atomic<gulong> passing_ = 0;  // the probe that waits for EOS

  mutable std::mutex mutex_;  // guards what follows; a leaf: nothing is sent under it
  // What is to be sent, in order. One thread sends at a time; what others have meanwhile, it sends
  // too.
  std::deque<Item> outbox_;
  bool sending_ = false;
  std::function<void()> done_;  // until it is called
  GstCaps *caps_ = nullptr;
  bool ended_ = false;
  bool moved_ = false;  // what comes next doesn't go on from what was sent
  GstClockTime until_ = GST_CLOCK_TIME_NONE;
  GstClockTime ticked_ = 0;
};

}  // namespace agora
