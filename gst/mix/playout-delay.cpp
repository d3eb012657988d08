// SPDX-License-Identifier: LGPL-2.1-or-later
// How the delay of a timeline moves: by the jitter, where it adapts, and from the first one to the
// whole, where it grows.
#include "gst/mix/playout-timeline.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace agora {
namespace {

// An adaptive delay is so much of the jitter's peak, and so much more; it gets there within some
// seconds, by playing a per cent slower or faster at most.
constexpr double kJitterMargin = 1.25;
constexpr double kLeastDelay = 13e6;
constexpr double kAdaptTime = 2e9;
constexpr double kAdaptSpeed = 0.01;
constexpr double kAdaptSlew = 0.01;
// No codec is later than another by more.
constexpr double kMostBrace = 100e6;
// What is held back for another codec grows as fast as may be until it is enough, towards more.
constexpr double kBraceAhead = 20e6;
// A delay that moves by no more than this may stop at once.
constexpr double kSlow = 0.001;
// A delay that has grown to within this is there; what stretching takes anyway is more.
constexpr double kGrown = 0.5e6;
// So long it takes to fade in or out. Where sound hardly waits, the end of what is there is never
// far.
constexpr double kFade = 5e6;
constexpr double kShortFade = 2.5e6;
constexpr double kTightDelay = 10e6;

}  // namespace

std::optional<std::int64_t> PlayoutTimeline::growing_ns() const {
  std::lock_guard lock(mutex_);
  if (growth_ == Growth::none)
    return std::nullopt;
  return std::llround(in_force_ns_);
}

void PlayoutTimeline::set_adaptive(bool adaptive) {
  std::lock_guard lock(mutex_);
  adaptive_ = adaptive;
}

double PlayoutTimeline::fade_ns() const {
  return in_force_ns_ < kTightDelay ? kShortFade : kFade;
}

// What the jitter takes.
double PlayoutTimeline::least_delay_ns() const {
  return arrivals_.jitter_peak_ns() * kJitterMargin + kLeastDelay;
}

bool PlayoutTimeline::brace(std::int64_t later_ns) {
  std::lock_guard lock(mutex_);
  const double later = std::clamp(static_cast<double>(later_ns), 0.0, kMostBrace);
  const double least = std::min(static_cast<double>(delay_ns_), least_delay_ns());
  const bool enough = in_force_ns_ > later + least - kGrown;
  // Before it plays it begins with what it has.
  if (growth_ == Growth::waiting || !playing_)
    return true;
  // What was begun is not left half way: it would be stretched back.
  const double brace = later == 0 || (enough && brace_ns_ == 0) ? 0 : later + kBraceAhead;
  if (std::exchange(brace_ns_, brace) != brace)
    growth_ = Growth::begun;
  return enough;
}

// Moves the delay towards what it should be; how much faster than real time that has to play.
double PlayoutTimeline::adapt(std::size_t frames) {
  const auto ceiling = static_cast<double>(delay_ns_) + brace_ns_;
  const double wanted = adaptive_ ? std::min(ceiling, least_delay_ns() + brace_ns_) : ceiling;
  const double block_ns = static_cast<double>(frames) * 1e9 / out_rate_;
  const double missing = wanted - in_force_ns_;
  if (growth_ == Growth::waiting)
    return 0;
  if (std::fabs(missing) < kGrown && std::fabs(moving_) < kSlow)
    growth_ = Growth::none;
  // Silence needs no stretching, and a delay that somebody set is not to be crept towards.
  const bool creeps = adaptive_ || growth_ == Growth::begun;
  if (!playing_ || !creeps) {
    in_force_ns_ = wanted;
    moving_ = 0;
    growth_ = Growth::none;
    return 0;
  }
  const double speed = std::clamp(missing / kAdaptTime, -kAdaptSpeed, kAdaptSpeed);
  const double step = kAdaptSlew * block_ns / 1e9;
  moving_ = std::clamp(speed, moving_ - step, moving_ + step);
  in_force_ns_ += moving_ * block_ns;
  return -moving_;
}

// Playing is behind its place, or is to begin there, since the first guess of that was too late: a
// delay that is to grow has grown by so much. What is left of the error.
double PlayoutTimeline::absorb(double error_ns) {
  if (growth_ == Growth::none)
    return error_ns;
  const double most = std::max(0.0, static_cast<double>(delay_ns_) - in_force_ns_);
  const double by = std::clamp(error_ns, 0.0, most);
  in_force_ns_ += by;
  return error_ns - by;
}

}  // namespace agora
