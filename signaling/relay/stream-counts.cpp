// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/stream-counts.hpp"

namespace agora::relay {

namespace {

// Streams that are looked at in one call: a tenth of a millisecond.
constexpr std::size_t most_looked_at = 512;

}  // namespace

CountsRef StreamLedger::of(std::string_view name) {
  if (const auto found = by_name_.find(name); found != by_name_.end())
    return CountsRef(found->second);
  const CountsRef &fresh = all_.emplace_back(new StreamCounts(std::string(name)));
  by_name_.emplace(fresh->name, fresh.get());
  return fresh;
}

void StreamLedger::begin_round(bool tell) {
  if (waits())
    return;
  at_ = 0;
  end_ = all_.size();
  tell_ = tell;
}

relay_line::Traffic StreamLedger::next() {
  relay_line::Traffic traffic;
  std::size_t room = relay_line::max_traffic_bytes;
  for (std::size_t i = 0; i < most_looked_at && waits(); i++) {
    StreamCounts &counts = *all_[at_].get();
    if (tell_ && counts.has_news()) {
      const std::size_t size = relay_line::traffic_size(counts.name);
      if (size > room || traffic.streams.size() == relay_line::max_traffic)
        break;
      room -= size;
      traffic.streams.push_back(
          {counts.name, std::exchange(counts.received_bytes, 0),
           std::exchange(counts.sent_bytes, 0), std::exchange(counts.dropped_frames, 0),
           std::exchange(counts.cut_listeners, 0), std::exchange(counts.lag_ms, 0)});
    }
    // Nobody counts there any more.
    if (counts.references == 1)
      forget(counts);
    else
      at_++;
  }
  return traffic;
}

// The one that is looked at. The last one of the round takes its place, and the last one of all
// that one's.
void StreamLedger::forget(StreamCounts &counts) {
  by_name_.erase(counts.name);
  end_--;
  std::swap(all_[at_], all_[end_]);
  std::swap(all_[end_], all_.back());
  all_.pop_back();
}

}  // namespace agora::relay
