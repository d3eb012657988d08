// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/channel-traffic.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace agora::gateway {

namespace {

// Of a stream that nobody knows any more, the relay tells once more: after seconds, or a moment
// later where it had stood still.
constexpr std::int64_t remembered_ms = 60'000;
constexpr std::int64_t sweep_ms = 10'000;
// A channel that is over keeps its name so long. Prometheus has seen its last figures by then.
constexpr std::int64_t kept_ms = 15 * 60'000;
constexpr std::int64_t fresh_s = 15;

// The relay's word may be wrong; a counter never goes back.
void grow (std::uint64_t &count, std::uint64_t by) {
  count += std::min(by, relay_line::max_number - std::min(count, relay_line::max_number));
}

}  // namespace

void ChannelTraffic::met(const std::string &stream, ChannelName channel, std::int64_t mono_ms) {
  forget_streams(mono_ms);
  streams_.insert_or_assign(stream, Stream{std::move(channel), mono_ms});
}

std::optional<ChannelName> ChannelTraffic::channel_of(const std::string &stream, const Find &find,
                                                      std::int64_t mono_ms) {
  if (auto channel = find(stream)) {
    met(stream, *channel, mono_ms);
    return channel;
  }
  const auto found = streams_.find(stream);
  if (found == streams_.end())
    return {};
  found->second.heard_ms = mono_ms;
  return found->second.channel;
}

ChannelTraffic::Entry &ChannelTraffic::entry_of(const std::optional<ChannelName> &channel,
                                                std::int64_t mono_ms) {
  if (!channel)
    return other_;
  auto found = named_.find(*channel);
  if (found == named_.end() && named_.size() < most_)
    found = named_.emplace(*channel, Entry{}).first;
  if (found == named_.end())
    return other_;
  found->second.changed_ms = mono_ms;
  return found->second;
}

void ChannelTraffic::add(const relay_line::Traffic &traffic, const Find &find,
                         std::int64_t mono_ms) {
  const std::int64_t second = mono_ms / 1000;
  for (const relay_line::StreamTraffic &each : traffic.streams) {
    Entry &entry = entry_of(channel_of(each.stream, find, mono_ms), mono_ms);
    grow(entry.counts.received_bytes, each.received_bytes);
    grow(entry.counts.sent_bytes, each.sent_bytes);
    grow(entry.counts.dropped_frames, each.dropped_frames);
    grow(entry.counts.cut_listeners, each.cut_listeners);
    auto &[at, lag] = entry.lags[static_cast<std::size_t>(second) % entry.lags.size()];
    lag = at == second ? std::max(lag, each.lag_ms) : each.lag_ms;
    at = second;
  }
}

void ChannelTraffic::forget_streams(std::int64_t mono_ms) {
  if (mono_ms - swept_ms_ < sweep_ms)
    return;
  swept_ms_ = mono_ms;
  std::erase_if(streams_, [mono_ms] (const auto &each) {
    return mono_ms - each.second.heard_ms > remembered_ms;
  });
}

// One that comes back begins at 0, which Prometheus knows to read. What it had isn't added to the
// others': theirs would seem to have been a burst.
void ChannelTraffic::make_room(const std::vector<ChannelFigures> &largest, std::int64_t mono_ms) {
  std::set<ChannelName> wanted;
  for (const ChannelFigures &each : largest)
    wanted.insert({each.app_id, each.channel});
  using Place = std::map<ChannelName, Entry>::iterator;
  std::vector<Place> idle;
  std::size_t lacking = wanted.size();
  for (auto each = named_.begin(); each != named_.end(); ++each)
    if (wanted.contains(each->first))
      lacking--;
    else
      idle.push_back(each);
  std::sort(idle.begin(), idle.end(), [] (const Place &a, const Place &b) {
    return a->second.changed_ms < b->second.changed_ms;
  });
  for (const Place &each : idle) {
    const bool old = mono_ms - each->second.changed_ms > kept_ms;
    if (!old && named_.size() + lacking <= most_)
      break;
    named_.erase(each);
  }
  for (const ChannelName &name : wanted)
    if (named_.size() < most_)
      named_.try_emplace(name);
}

ChannelTraffic::Counts ChannelTraffic::counts_of(const Entry &entry, std::int64_t mono_ms) {
  Counts counts = entry.counts;
  for (const auto &[at, lag] : entry.lags)
    if (mono_ms / 1000 - at <= fresh_s)
      counts.lag_ms = std::max(counts.lag_ms, lag);
  return counts;
}

ChannelTraffic::Figures ChannelTraffic::figures(const std::vector<ChannelFigures> &largest,
                                                std::int64_t mono_ms) {
  make_room(largest, mono_ms);
  Figures figures;
  for (const auto &[name, entry] : named_)
    figures.named.push_back({name, counts_of(entry, mono_ms)});
  figures.other = counts_of(other_, mono_ms);
  return figures;
}

}  // namespace agora::gateway
