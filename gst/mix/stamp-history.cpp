// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/stamp-history.hpp"

#include <algorithm>
#include <cmath>

namespace agora {
namespace {

// Timestamps whose rate is further than this from the samples' tell no time: all 0, or of another
// sampling rate. Whole milliseconds for frames of 2.5 ms are within it.
constexpr double kMaxStampSlope = 0.25;
// A spread is forgotten over so long: what happens once in minutes is known the next time.
constexpr double kForgetNs = 600e9;

}  // namespace

void StampHistory::clear() {
  *this = StampHistory();
}

double StampHistory::ahead(std::int64_t stamp, double at) const {
  return static_cast<double>(stamp) - base_ - at;
}

void StampHistory::add(std::int64_t stamp, double at) {
  if (count_ == 0)
    base_ = static_cast<double>(stamp) - at;
  const double passed = count_ == 0 ? 0 : at - newest(0).at;
  entries_[next_] = {stamp, at, ahead(stamp, at)};
  next_ = (next_ + 1) % kKept;
  count_ = std::min(count_ + 1, kKept);
  const double kept = 1 - std::clamp(passed / kForgetNs, 0.0, 1.0);
  high_ *= kept;
  low_ *= kept;
  // The line of a moment ago is as good.
  if (count_ < kTrend || next_ % kRefit == 0)
    fit();
  else
    note(newest(0));
}

void StampHistory::note(const Entry &entry) {
  const double off = entry.ahead - usual(entry.at);
  high_ = std::max(high_, off);
  low_ = std::min(low_, off);
}

void StampHistory::fit() {
  const std::size_t n = std::min(count_, kTrend);
  at_ = newest(0).at;
  double sum = 0, sum_x = 0, sum_xx = 0, sum_xy = 0;
  for (std::size_t i = 0; i < n; i++) {
    const double x = newest(i).at - at_, y = newest(i).ahead;
    sum += y;
    sum_x += x;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  const auto count = static_cast<double>(n);
  const double divisor = count * sum_xx - sum_x * sum_x;
  slope_ = divisor > 0 ? (count * sum_xy - sum_x * sum) / divisor : 0;
  middle_ = (sum - slope_ * sum_x) / count;
  for (std::size_t i = 0; i < n; i++)
    note(newest(i));
}

StampHistory::Claim StampHistory::claim(std::int64_t stamp, double at) const {
  if (count_ < kFew || std::fabs(slope_) > kMaxStampSlope)
    return {};
  // A line that bends to a few that are far off has the others on its other side.
  const double noise = std::max(high_, -low_);
  const double off = ahead(stamp, at) - usual(at);
  Claim claim{.telling = true, .least = off - noise, .most = off + noise};
  // A sender whose timestamps count frames counts those that are lost as fast, or as slowly.
  if (claim.least > 0)
    claim.least /= 1 + std::fabs(slope_);
  if (claim.most > 0)
    claim.most /= 1 - std::fabs(slope_);
  return claim;
}

std::vector<double> StampHistory::find(std::int64_t stamp) const {
  std::vector<double> found;
  for (std::size_t i = 0; i < count_; i++)
    if (newest(i).stamp == stamp)
      found.push_back(newest(i).at);
  return found;
}

double StampHistory::snap(double at, double within) const {
  double nearest = at;
  for (std::size_t i = 0; i < count_; i++)
    if (const double off = std::fabs(newest(i).at - at); off <= within) {
      within = off;
      nearest = newest(i).at;
    }
  return nearest;
}

}  // namespace agora
