// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/frame-count.hpp"

#include <algorithm>

namespace agora {

namespace {
// Timestamps that were taken from a clock when the frame came go back by so much.
constexpr GstClockTime jitter = 100 * GST_MSECOND;
// Where the count is ahead of the timestamps it falls back by so much with each frame: rounding,
// and frames that come by another clock. Nothing may stay late for ever.
constexpr GstClockTime overlap = GST_MSECOND;
}  // namespace

GstClockTime FrameCount::place(GstClockTime stamp, GstClockTime duration) {
  GstClockTime at = stamp;
  if (last_ && stamp + jitter >= *last_) {
    const GstClockTime step = stamp > *last_ ? stamp - *last_ : 0;
    // A timestamp that hardly went on tells nothing of the time.
    const bool tells = step + 2 * overlap >= duration;
    at = std::max(stamp, tells ? end_ - std::min(end_, overlap) : end_);
  }
  last_ = stamp;
  end_ = at + duration;
  return at;
}

}  // namespace agora
