// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/frame-count.hpp"

#include <algorithm>

namespace agora {

namespace {
// Timestamps that were taken from a clock when the frame came are so much behind; and what is
// rounded to whole milliseconds, twice.
constexpr GstClockTimeDiff jitter = 100 * GST_MSECOND;
constexpr GstClockTime rounding = 2 * GST_MSECOND;
// Where the count is ahead of the timestamps it falls back by so small a part of each frame: what
// comes by another clock must not stay late for ever, and nobody who listens takes it for more.
constexpr GstClockTime steepest = 500;
// So many timestamps in a row that are far behind are no jitter.
constexpr unsigned enough = 16;
}  // namespace

// The timestamp of a frame that went where the last one ended is so much ahead of it, or behind.
void FrameCount::compare(GstClockTimeDiff ahead) {
  if (ahead >= -jitter) {
    behind_ = 0;
    return;
  }
  nearest_ = behind_ == 0 ? ahead : std::max(nearest_, ahead);
  if (++behind_ < enough)
    return;
  base_ -= nearest_;
  behind_ = 0;
}

GstClockTime FrameCount::place(GstClockTime stamp, GstClockTime duration) {
  const GstClockTime before = last_.value_or(stamp);
  const bool first = !last_;
  last_ = stamp;
  if (first)
    end_ = stamp;
  const GstClockTimeDiff ahead = GST_CLOCK_DIFF(end_, stamp) + base_;
  const GstClockTime step = stamp > before ? stamp - before : 0;
  // A timestamp that hardly went on tells nothing of the time.
  const bool tells = step + rounding >= duration;
  hole_ = static_cast<GstClockTime>(std::max<GstClockTimeDiff>(ahead, 0));
  GstClockTime at = end_ + hole_;
  if (tells && ahead < 0)
    at -= std::min({static_cast<GstClockTime>(-ahead), duration / steepest, at});
  if (tells)
    compare(ahead);
  end_ = at + duration;
  return at;
}

void FrameCount::earlier(GstClockTime by) {
  hole_ -= std::min(hole_, by);
  end_ -= std::min(end_, by);
  base_ -= static_cast<GstClockTimeDiff>(by);
}

}  // namespace agora
