// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/send-timeline.hpp"

#include <algorithm>

namespace agora {

namespace {
// A timestamp further ahead of the clock than this is another timeline, not a gap.
constexpr GstClockTimeDiff jump = 10 * GST_SECOND;
// Rounding of timestamps, and the frame during which a filler gave way.
constexpr GstClockTimeDiff tolerance = 25 * GST_MSECOND;
// Fillers follow each other without a gap, unless the way out stood for longer than this.
constexpr GstClockTime stood = 200 * GST_MSECOND;
// An encoder that starts again gives its first frames this much later than the ones between; the
// fillers leave them room.
constexpr GstClockTime restart = 150 * GST_MSECOND;
// So much sound behind the fillers tells whether it catches up.
constexpr GstClockTimeDiff proof = 300 * GST_MSECOND;
}  // namespace

std::optional<GstClockTime> SendTimeline::place(GstClockTime time, GstClockTime duration,
                                                bool fresh, GstClockTime since_last) {
  GstClockTimeDiff at = static_cast<GstClockTimeDiff>(time) + offset_;
  if (!end_) {
    end_ = static_cast<GstClockTime>(std::max<GstClockTimeDiff>(at, 0)) + duration;
    filling_ = paused_ = false;
    return *end_ - duration;
  }
  const auto end = static_cast<GstClockTimeDiff>(*end_);
  const auto idle =
      static_cast<GstClockTimeDiff>(since_last > duration ? since_last - duration : 0);
  const bool back = at < end - tolerance;
  if (back && filling_ && !fresh && !paused_ && catches_up(end - at, duration))
    return std::nullopt;
  if (back || at > end + idle + jump) {
    offset_ += end + idle - at;
    at = end + idle;
  }
  // Running time doesn't advance while it is paused.
  if (paused_ && at < end + idle) {
    offset_ += end + idle - at;
    at = end + idle;
  }
  // Overlaps of a rounding error must not turn timestamps back.
  at = std::max(at, end - GST_MSECOND);
  filling_ = paused_ = false;
  late_.reset();
  end_ = static_cast<GstClockTime>(at) + duration;
  return static_cast<GstClockTime>(at);
}

// Whether a frame `lag` behind the fillers is one that was held up on its way: such frames come
// faster than time, and are soon where they belong. A source that paused without its timestamps
// saying so comes at the pace of time, and would stay behind for ever.
bool SendTimeline::catches_up(GstClockTimeDiff lag, GstClockTime duration) {
  if (!late_)
    late_ = Late{.lag = lag};
  late_->left_out += static_cast<GstClockTimeDiff>(duration);
  return late_->left_out < proof || lag < late_->lag - late_->left_out / 4;
}

GstClockTime SendTimeline::fill(GstClockTime duration, GstClockTime since_last) {
  GstClockTime at = end_.value_or(0);
  const GstClockTime idle = since_last > duration ? since_last - duration : 0;
  if (end_ && !filling_)
    at += idle > restart ? idle - restart : 0;
  else if (end_ && idle > stood)
    at += idle;
  filling_ = true;
  end_ = at + duration;
  return at;
}

}  // namespace agora
