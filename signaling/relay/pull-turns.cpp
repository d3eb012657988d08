// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/pull-turns.hpp"

namespace agora::relay {

bool PullTurns::take(Place &place, const std::string &origin) {
  leave(place);
  place.origin = origin;
  place.number = ++last_number_;
  Origin &there = origins_[origin];
  // Nobody overtakes those who wait.
  place.opens = there.opening < limit_ && there.waiting.empty();
  if (place.opens)
    there.opening++;
  else
    there.waiting.emplace(place.number, &place);
  return place.opens;
}

void PullTurns::leave(Place &place) {
  if (place.number == 0)
    return;
  const auto there = origins_.find(place.origin);
  if (place.opens)
    there->second.opening--;
  else
    there->second.waiting.erase(place.number);
  has_room_ |= !there->second.waiting.empty();
  if (there->second.opening == 0 && there->second.waiting.empty())
    origins_.erase(there);
  place.number = 0;
  place.opens = false;
}

PullTurns::Place *PullTurns::next() {
  if (!has_room_)
    return nullptr;
  for (auto &[name, there] : origins_) {
    if (there.waiting.empty() || there.opening >= limit_)
      continue;
    Place *first = there.waiting.begin()->second;
    there.waiting.erase(there.waiting.begin());
    there.opening++;
    first->opens = true;
    return first;
  }
  has_room_ = false;
  return nullptr;
}

}  // namespace agora::relay
