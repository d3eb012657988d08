// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The encoded frames that wait for the network. Putting never waits: what is beyond the limit is
// dropped, the oldest whole frames first, and the timestamps of the rest tell the gap.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>

#include "gst/common/gst-ptr.hpp"

namespace agora {

using Clock = std::chrono::steady_clock;

struct Frame {
  BufferPtr buffer;
  CapsPtr caps;
  bool takes_stamp = false;  // the sender's wall clock may be put into it
  // Running time at the sink pad.
  GstClockTime time = 0;
  GstClockTime duration = 0;
  // How much earlier the sound in it was at the sink pad: the encoder's look-ahead.
  GstClockTime lookahead = 0;
  // The timeline before this frame says nothing about it: a seek, another source.
  bool fresh = false;
  // The sender has nothing to say for now (DTX of Opus), and may send nothing for a while.
  bool rests = false;
  Clock::time_point arrival;
};

// Thread-safe: one thread puts, one waits, any one asks.
class FrameQueue {
 public:
  enum class Event { frame, timeout, woken, end, stopped };
  struct Totals {
    GstClockTime queued = 0;
    GstClockTime dropped = 0;
    std::uint64_t dropped_frames = 0;
  };

  void start ();
  void stop ();
  void set_limit (GstClockTime limit);
  GstClockTime limit () const;

  // False when it had to drop something.
  bool put (Frame frame);
  // No frame follows; what is queued is still to be taken.
  void end ();
  // What is queued is of no use any more (a flushing seek).
  void clear ();
  // Waits until there is a frame to take(), or something else to be done; until `deadline`, or for
  // ever when there is none.
  Event wait (const Clock::time_point *deadline);
  // The oldest frame; false when there is none any more. Never waits.
  bool take (Frame &frame);
  // Whether a frame that came now would be the next.
  bool idle () const;
  // Makes wait() return, so that its caller looks again at what it waits for.
  void wake ();
  // Counts what was lost further down the way.
  void add_dropped (GstClockTime duration, std::uint64_t frames);

  Totals totals () const;

 private:
  bool drop_surplus ();

  mutable std::mutex mutex_;  // guards all below; a leaf: nothing else is taken under it
  std::condition_variable changed_;
  std::deque<Frame> frames_;
  Totals totals_;
  GstClockTime limit_ = GST_SECOND;
  bool ended_ = false;
  bool woken_ = false;
  bool stopped_ = true;
};

}  // namespace agora
