// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/arrival-clock.hpp"

#include <algorithm>
#include <cmath>

namespace agora {
namespace {

// Long enough to hold some twenty AAC frames, of which one or more came without delay.
constexpr double kWindow = 500e6;
// A window whose minimum is off by more than this is no noise: a stall, or another path.
constexpr double kOutlier = 25e6;
// Critically damped loop; a step of 600 ppm costs less than 3 ms and is followed within half a
// minute, and timestamps rounded to 1 ms move the slope by 1 to 2 ppm.
constexpr double kAlpha = 0.1;
constexpr double kBeta = 0.0025;
// Twice any crystal's error; a slope beyond it is a mistaken measurement.
constexpr double kMaxSlope = 1000e-6;

// Half of a peak of the jitter is forgotten in about ten seconds.
constexpr double kForget = 0.966;
constexpr unsigned kSteadyWindows = 2;
constexpr unsigned kAnyWindows = 6;

}  // namespace

void ArrivalClock::settle() {
  windows_ = 0;
  shifted_ = 0;
  window_count_ = 0;
}

// What the window has so far is of the old path.
void ArrivalClock::shift(double ns) {
  offset_ns_ += ns;
  shifted_ = 0;
  window_count_ = 0;
}

double ArrivalClock::offset_at(std::int64_t now_ns) const {
  return offset_ns_ + slope_ * static_cast<double>(now_ns - at_ns_);
}

void ArrivalClock::arrived(double media_ns, std::int64_t now_ns) {
  const double d = static_cast<double>(now_ns) - media_ns;

  if (!known_) {
    known_ = true;
    offset_ns_ = d;
    at_ns_ = now_ns;
    window_start_ns_ = now_ns;
    window_media_ns_ = media_ns;
    window_min_ns_ = window_max_ns_ = d;
    window_count_ = 0;
  }
  // While settling, the earliest one seen is the best guess at once.
  if (windows_ < kSettling && d < offset_at(now_ns)) {
    offset_ns_ = d;
    at_ns_ = now_ns;
  }
  if (window_count_ == 0) {
    window_start_ns_ = now_ns;
    window_media_ns_ = media_ns;
    window_min_ns_ = window_max_ns_ = d;
  }
  window_min_ns_ = std::min(window_min_ns_, d);
  window_max_ns_ = std::max(window_max_ns_, d);
  last_media_ns_ = media_ns;
  window_count_++;
  if (static_cast<double>(now_ns - window_start_ns_) >= kWindow)
    close_window(now_ns);
}

void ArrivalClock::close_window(std::int64_t now_ns) {
  const double elapsed = static_cast<double>(now_ns - window_start_ns_);
  const double media = last_media_ns_ - window_media_ns_;
  const double predicted = offset_at(now_ns);
  const double error = window_min_ns_ - predicted;
  // Sound that comes at about the speed of time is a steady path; a burst after a stall, or the
  // hole before it, is not.
  const bool steady = std::fabs(media - elapsed) < 0.15 * elapsed;

  window_count_ = 0;
  if (error > kOutlier) {
    // All of it late. Passing, or the new truth? The latter once it is steady, or doesn't pass.
    shifted_++;
    if (shifted_ < (steady ? kSteadyWindows : kAnyWindows))
      return;
    offset_ns_ = window_min_ns_;
    at_ns_ = now_ns;
    shifted_ = 0;
    windows_ = 0;
    return;
  }
  shifted_ = 0;
  jitter_ns_ = window_max_ns_ - window_min_ns_;
  jitter_peak_ns_ = std::max(jitter_ns_, jitter_peak_ns_ * kForget);
  if (error < -kOutlier) {
    // Nothing arrives before its time: the path got shorter.
    offset_ns_ = window_min_ns_;
    at_ns_ = now_ns;
    windows_ = 0;
    return;
  }
  // The first windows average, so that a first guess off by its jitter doesn't become a slope.
  windows_++;
  const double alpha = std::max(kAlpha, 1.0 / (1.0 + windows_));
  const double dt = static_cast<double>(now_ns - at_ns_);
  offset_ns_ = predicted + alpha * error;
  at_ns_ = now_ns;
  if (windows_ > 4 && dt > 0)
    slope_ = std::clamp(slope_ + kBeta * error / std::max(dt, kWindow), -kMaxSlope, kMaxSlope);
}

}  // namespace agora
