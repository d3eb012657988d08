// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/sample-counter.hpp"

#include <algorithm>
#include <cmath>

namespace agora {
namespace {

// How early a frame may seem to be by the noise of the arrivals' measurement.
constexpr double kEarly = 5e6;
// A hole is at least half a frame, but never has to be longer than kMostGuard, nor may be shorter
// than kLeastGuard; and clear of the spread of the timestamps by a quarter of it.
constexpr double kMostGuard = 12e6;
constexpr double kLeastGuard = 4e6;
constexpr double kSpreadGuard = 0.25;
// Counters that jump by more than this go on from there; less is noise to be learnt.
constexpr double kJump = 250e6;
// A session that goes on from another: further from when it should have come than this it has
// another count of time; nearer than kNearby it goes on without a hole.
constexpr double kAnother = 500e6;
constexpr double kNearby = 60e6;
// What timestamps in whole milliseconds are off by, twice.
constexpr double kCountRounding = 2e6;
// Two pieces of sound are the same with so much of their power in what differs, or less: decoders
// make up noise.
constexpr double kSame = 0.1;
// A frame of unknown length is never longer.
constexpr double kLongest = 500e6;

double late_by (double at, std::int64_t now_ns, const ArrivalClock &arrivals) {
  return arrivals.known() ? static_cast<double>(now_ns) - at - arrivals.offset_at(now_ns) : 0;
}

}  // namespace

SampleCounter::Place SampleCounter::decide(const Frame &frame, const ArrivalClock &arrivals) const {
  Place place{.at = next_};
  if (frame.duration_ns < 0 && !history_.empty())
    place.at += std::clamp(static_cast<double>(frame.stamp_ns) - static_cast<double>(last_stamp_),
                           0.0, kLongest);
  const double late = late_by(place.at, frame.now_ns, arrivals);
  StampHistory::Claim claim = history_.claim(frame.stamp_ns, place.at);
  const double guard = std::clamp(frame.duration_ns / 2, kLeastGuard, kMostGuard) +
                       kSpreadGuard * (claim.most - claim.least);
  if (claim.telling && claim.least > guard && late + kEarly >= claim.least) {
    double hole = std::clamp(late, claim.least, claim.most);
    // Servers and networks lose whole frames.
    if (frame.duration_ns > 0) {
      const double whole = std::round(hole / frame.duration_ns) * frame.duration_ns;
      if (whole > claim.least - kCountRounding && whole < claim.most + kCountRounding)
        hole = whole;
    }
    place.at += hole;
    return place;
  }
  if (claim.telling && (claim.least > kJump || claim.most < -kJump)) {
    place.shift = (claim.least + claim.most) / 2;
    claim.telling = false;
  }
  // What is told again is late, and no sign of anything.
  if (place.at < until_ - kCountRounding)
    return place;
  if (late > frame.bears_ns && (!claim.telling || claim.most > late - kEarly))
    place.at += claim.telling ? std::min(late, claim.most) : late;
  return place;
}

// Where a frame was that another session tells again; nothing: it is new. Its timestamp is the
// same, but several may share it: then the sound itself tells, or else its arrival.
std::optional<double> SampleCounter::find_again(const Frame &frame, double expected,
                                                const Unlike &unlike) const {
  std::vector<double> places = history_.find(frame.stamp_ns);
  std::erase_if(places, [&] (double at) { return std::fabs(at - expected) > kAnother; });
  if (places.empty())
    return std::nullopt;
  const bool exact = places.size() == 1 && history_.spread() <= kMostGuard;
  if (exact)
    return places.front();
  bool compared = false;
  double least = kSame;
  std::optional<double> same;
  for (const double at : places) {
    const auto value = unlike ? unlike(at) : std::nullopt;
    compared = compared || value;
    if (value && *value < least) {
      least = *value;
      same = at;
    }
  }
  if (compared)
    return same;
  // Where they all are alike it is as likely to be none of them.
  if (!history_.claim(frame.stamp_ns, next_).telling)
    places.push_back(next_);
  return *std::min_element(places.begin(), places.end(), [expected] (double a, double b) {
    return std::fabs(a - expected) < std::fabs(b - expected);
  });
}

// The first frame of a session that follows another.
SampleCounter::Place SampleCounter::rejoin(const Frame &frame, const ArrivalClock &arrivals,
                                           const Unlike &unlike) const {
  const double late = late_by(next_, frame.now_ns, arrivals);
  const double expected = next_ + late;
  if (const auto match = find_again(frame, expected, unlike))
    return {.at = *match};
  const StampHistory::Claim claim = history_.claim(frame.stamp_ns, next_);
  if (claim.telling) {
    double at = next_ + (claim.least + claim.most) / 2;
    if (history_.spread() > kMostGuard) {
      // Never seen, it is new; how much is missing the arrival tells better.
      const double most = std::max(0.0, std::min(late, claim.most));
      at = next_ + (late > kNearby ? most : 0);
    }
    const double within = std::clamp(frame.duration_ns / 2, kCountRounding, kMostGuard);
    if (std::fabs(at - next_) < within)
      at = next_;
    if (std::fabs(at - expected) <= kAnother)
      return {.at = history_.snap(at, kCountRounding)};
  }
  return {.at = late > kNearby ? expected : next_, .another = true};
}

double SampleCounter::peek(const Frame &frame, const ArrivalClock &arrivals) const {
  return (fresh_ && !history_.empty() ? rejoin(frame, arrivals, nullptr) : decide(frame, arrivals))
      .at;
}

double SampleCounter::place(const Frame &frame, ArrivalClock &arrivals, const Unlike &unlike) {
  const Place place =
      fresh_ && !history_.empty() ? rejoin(frame, arrivals, unlike) : decide(frame, arrivals);
  fresh_ = false;
  if (place.another) {
    history_.clear();
    arrivals.settle();
  }
  history_.shift(place.shift);
  history_.add(frame.stamp_ns, place.at);
  last_stamp_ = frame.stamp_ns;
  next_ = place.at + std::max(0.0, frame.duration_ns);
  until_ = std::max(until_, next_);
  return place.at;
}

}  // namespace agora
