// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/stream-counts.hpp"

namespace agora::relay {

CountsRef StreamLedger::of(std::string_view name) {
  if (const auto found = all_.find(name); found != all_.end())
    return found->second;
  const CountsRef fresh(new StreamCounts(std::string(name)));
  all_.emplace(fresh->name, fresh);
  return fresh;
}

void StreamLedger::begin_round(bool tell) {
  if (waits())
    return;
  round_.clear();
  told_ = 0;
  for (auto each = all_.begin(); each != all_.end();) {
    const CountsRef &counts = each->second;
    if (tell && counts->has_news())
      round_.push_back(counts);
    // Nobody counts there any more. What the round has of it is told nevertheless.
    const bool over = counts->references == 1 + (tell && counts->has_news() ? 1U : 0U);
    if (!over) {
      ++each;
      continue;
    }
    // The key lies in what it leads to.
    const CountsRef kept = counts;
    each = all_.erase(each);
  }
}

relay_line::Traffic StreamLedger::next() {
  relay_line::Traffic traffic;
  std::size_t room = relay_line::max_traffic_bytes;
  for (; waits() && traffic.streams.size() < relay_line::max_traffic; told_++) {
    StreamCounts &counts = *round_[told_].get();
    const std::size_t size = relay_line::traffic_size(counts.name);
    if (size > room)
      break;
    room -= size;
    traffic.streams.push_back(
        {counts.name, std::exchange(counts.received_bytes, 0), std::exchange(counts.sent_bytes, 0),
         std::exchange(counts.dropped_frames, 0), std::exchange(counts.cut_listeners, 0),
         std::exchange(counts.lag_ms, 0)});
  }
  if (!waits()) {
    round_.clear();
    told_ = 0;
  }
  return traffic;
}

}  // namespace agora::relay
