// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Frames whose timestamps jumped far ahead of the clock, held until it shows what that is. Of a
// file what follows comes as soon as it is asked for: then there is a hole in the sound, and the
// clock is waited for. Of something that plays right now it comes at the speed of time: sound that
// is here is no sound of later, so the timestamps are wrong.
#pragma once

#include <gst/gst.h>

#include <chrono>
#include <utility>
#include <vector>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// For one thread; the time is an argument.
class FarFrames {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Verdict { open, hole, jump };

  // Nearer than this to the clock is what waits for it: what may wait for the network, too.
  static constexpr GstClockTimeDiff kFar = GST_SECOND;
  // So many frames, each of which had to be waited for about as long as it lasts, play right now.
  static constexpr int kEnough = 4;
  // What comes in bursts shows it in so long. By then there are what waited on its way, and that;
  // of a file there is more.
  static constexpr std::chrono::milliseconds kWatch{500};
  static constexpr GstClockTime kFile = 4 * GST_SECOND;

  bool empty () const { return frames_.empty(); }
  GstBuffer *first () const { return frames_.front().get(); }
  // What is known with this frame, of which `sound` is the duration.
  Verdict hold (BufferPtr frame, GstClockTime sound, Time now) {
    if (frames_.empty())
      begin(now);
    const GstClockTime waited = between(last_, now);
    const GstClockTime watched = between(since_, now);
    last_ = now;
    frames_.push_back(std::move(frame));
    held_ += sound;
    waits_ = waited >= sound / 2 && waited <= sound * 2 ? waits_ + 1 : 0;
    if (held_ >= kFile)
      return Verdict::hole;
    if (waits_ >= kEnough)
      return Verdict::jump;
    if (watched < static_cast<GstClockTime>(kWatch / std::chrono::nanoseconds(1)))
      return Verdict::open;
    // What comes once in a while comes when its time has come: there is a hole.
    return held_ >= watched / 2 ? Verdict::jump : Verdict::hole;
  }
  // One that tells nothing of the time.
  void keep (BufferPtr frame, Time now) {
    if (frames_.empty())
      begin(now);
    frames_.push_back(std::move(frame));
  }
  // All of them, the oldest first.
  std::vector<BufferPtr> release () { return std::exchange(frames_, {}); }

 private:
  void begin (Time now) {
    held_ = 0;
    waits_ = 0;
    since_ = last_ = now;
  }
  static GstClockTime between (Time earlier, Time later) {
    return static_cast<GstClockTime>(std::chrono::nanoseconds(later - earlier).count());
  }

  std::vector<BufferPtr> frames_;
  GstClockTime held_ = 0;
  int waits_ = 0;
  Time since_{};
  Time last_{};
};

}  // namespace agora
