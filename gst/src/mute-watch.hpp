// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whether there is something to say of a speaker of whom data comes, and no sound. Arithmetic on
// what it is given; no lock.
#pragma once

#include <gst/gst.h>

#include <cstdint>

namespace agora {

class MuteWatch {
 public:
  // After so much time of data that nobody heard.
  static constexpr GstClockTime kUnheard = 5 * GST_SECOND;
  // Without data for longer than this it is another time. A session that brings nothing more ends
  // sooner, and the next one begins with what there is to know of the stream.
  static constexpr GstClockTime kPause = 10 * GST_SECOND;

  // Whether it is time to say something. `came`: bytes of the RTMP session so far; `heard`: what
  // sound was made of them, in any unit that grows.
  bool look (GstClockTime now, std::uint64_t came, std::uint64_t heard) {
    if (heard != heard_) {
      heard_ = heard;
      came_ = came;
      since_ = GST_CLOCK_TIME_NONE;
      told_ = false;
      return false;
    }
    if (came == came_ || came == 0)
      return false;
    if (!GST_CLOCK_TIME_IS_VALID(since_) || now > last_ + kPause)
      since_ = now;
    came_ = came;
    last_ = now;
    return !told_ && now > since_ + kUnheard;
  }
  // It was said: that is enough until sound comes again.
  void tell () { told_ = true; }

 private:
  std::uint64_t came_ = 0, heard_ = 0;
  GstClockTime since_ = GST_CLOCK_TIME_NONE;  // of the first data without sound
  GstClockTime last_ = 0;                     // when data came last
  bool told_ = false;
};

}  // namespace agora
