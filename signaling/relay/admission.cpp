// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/admission.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

namespace agora::relay {

std::size_t Admission::Hash::operator()(const Network &network) const {
  return std::hash<std::string_view>()(
      {reinterpret_cast<const char *>(network.bytes.data()), network.bytes.size()});
}

Admission::Come Admission::ask(const Network &network) const {
  const auto found = of_.find(network);
  const Count of = found != of_.end() ? found->second : Count{};
  if (of.strangers >= limits_.strangers_of_one || of.all >= limits_.of_one) {
    const auto oldest = std::find_if(strangers_.begin(), strangers_.end(),
                                     [&] (const Place *each) { return each->network == network; });
    if (oldest == strangers_.end())
      return {Verdict::refused, nullptr, true};
    return {Verdict::welcome_for, *oldest, true};
  }
  if (strangers_.size() < limits_.strangers && connections_ < limits_.connections)
    return {};
  if (strangers_.empty())
    return {Verdict::refused, nullptr, false};
  return {Verdict::welcome_for, strangers_.front(), false};
}

void Admission::become(Place &place, State state, std::int64_t now) {
  if (place.state == State::stranger) {
    strangers_.erase(place.at);
    of_[place.network].strangers--;
  } else if (place.state == State::asking) {
    asking_.erase(place.at);
  }
  place.state = state;
  place.since = now;
  if (state == State::stranger) {
    place.at = strangers_.insert(strangers_.end(), &place);
    of_[place.network].strangers++;
  } else if (state == State::asking) {
    place.at = asking_.insert(asking_.end(), &place);
  }
}

void Admission::come(Place &place, const Network &network, std::int64_t now) {
  place.network = network;
  of_[network].all++;
  connections_++;
  become(place, State::stranger, now);
}

void Admission::asks(Place &place, std::int64_t now) {
  if (place.state == State::stranger)
    become(place, State::asking, now);
}

void Admission::admitted(Place &place) {
  become(place, State::admitted, place.since);
}

void Admission::idle(Place &place, std::int64_t now) {
  if (place.state != State::stranger)
    become(place, State::stranger, now);
}

void Admission::go(Place &place) {
  become(place, State::away, 0);
  const auto of = of_.find(place.network);
  if (--of->second.all == 0)
    of_.erase(of);
  connections_--;
}

Admission::Place *Admission::overdue(std::int64_t now) const {
  for (const auto *list : {&strangers_, &asking_})
    if (!list->empty() && now - list->front()->since >= limits_.opening_ms)
      return list->front();
  return nullptr;
}

}  // namespace agora::relay
