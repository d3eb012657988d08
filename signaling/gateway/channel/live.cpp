// SPDX-License-Identifier: LGPL-2.1-or-later
// How the channels look just now, for the operator's eyes.
#include <algorithm>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

namespace {

// Of older reports nothing is said as if it were so now.
constexpr std::int64_t fresh_ms = 15'000;

void raise (std::optional<std::int64_t> &most, std::int64_t value) {
  most = std::max(most.value_or(value), value);
}

}  // namespace

void ChannelBook::each_member(bool publishing,
                              const std::function<bool(const LiveMember &)> &visit) const {
  for (const auto &[key, channel] : channels_)
    for (const auto &[uid, member] : channel->members) {
      if (member->live.has_value() != publishing)
        continue;
      LiveMember live;
      live.id = member->id;
      live.app_id = channel->app_id;
      live.channel = channel->name;
      live.uid = uid;
      live.account = member->account;
      live.name = member->name;
      live.role = member->role;
      live.platform = member->platform;
      live.address = member->address;
      live.joined_at = member->joined_at;
      live.in_grace = member->in_grace;
      live.publishing = publishing;
      live.audio_muted = member->audio_muted;
      live.silenced = member->silenced;
      live.talk = member->live && !member->live->to.empty();
      if (const auto voice = channel->voices.find(uid);
          voice != channel->voices.end() && voice->second.member == member)
        live.listeners = voice->second.listeners.size();
      live.reported = member->reported.get();
      if (!visit(live))
        return;
    }
}

std::optional<ChannelName> ChannelBook::channel_of_stream(const std::string &stream) const {
  if (const Feed *feed = feeds_.of_stream(stream))
    return ChannelName{feed->app_id, feed->channel};
  const auto named = streams_.find(stream);
  if (named == streams_.end())
    return {};
  const auto owner = members_.find(named->second.owner);
  const Channel *channel = owner != members_.end() ? owner->second->channel : named->second.channel;
  if (!channel)
    return {};
  return ChannelName{channel->app_id, channel->name};
}

// Those of its members and mixes at the media server, and those of other gateways.
void ChannelBook::count_sessions(const Channel &channel, ChannelFigures &figures) const {
  const auto offer = [&] (const std::optional<Offer> &of) {
    if (!of)
      return;
    for (const PublishedStream &each : of->streams) {
      figures.pushes += each.client ? 1 : 0;
      if (const auto named = streams_.find(each.stream); named != streams_.end())
        figures.relays += named->second.relays.size();
    }
  };
  const auto plays = [&] (const Member &member) {
    for (const auto &[uid, subscription] : member.subscriptions)
      figures.plays += (subscription.client ? 1 : 0) + (subscription.old_player ? 1 : 0);
  };
  for (const auto &[uid, member] : channel.members) {
    offer(member->live);
    offer(member->previous);
    plays(*member);
  }
  for (const Member *mix : channel.mixes)
    plays(*mix);
  if (const Feed *feed = feeds_.of_channel(channel.key); feed && feed->client)
    figures.pushes++;
}

ChannelFigures ChannelBook::figures_of(const Channel &channel, Now now) const {
  ChannelFigures figures;
  figures.app_id = channel.app_id;
  figures.channel = channel.name;
  figures.members = channel.members.size();
  figures.streams = channel.voices.size();
  for (const auto &[uid, voice] : channel.voices)
    figures.listeners += voice.listeners.size();
  count_sessions(channel, figures);
  for (const auto &[uid, member] : channel.members) {
    const Reported *last = member->reported.get();
    if (!last || now.mono_ms - last->at_ms > fresh_ms)
      continue;
    if (const auto &sent = last->report.sent; sent && sent->level && member->live)
      raise(figures.peak_db, sent->level->peak);
    for (const auto &heard : last->report.heard) {
      if (heard.level)
        raise(figures.peak_db, heard.level->peak);
      if (heard.latency_ms)
        raise(figures.latency_ms, *heard.latency_ms);
      raise(figures.jitter_ms, heard.jitter_ms);
    }
  }
  return figures;
}

ChannelsFigures ChannelBook::channel_figures(std::size_t most, Now now) const {
  std::vector<const Channel *> all;
  for (const auto &[key, channel] : channels_)
    if (channel->open)
      all.push_back(channel.get());
  const auto larger = [] (const Channel *a, const Channel *b) {
    return a->members.size() != b->members.size() ? a->members.size() > b->members.size()
                                                  : a->key < b->key;
  };
  const std::size_t named = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(named), all.end(),
                    larger);
  // By play keys; some wait for a channel that nobody is in.
  std::unordered_map<std::string_view, std::size_t> players;
  for (const auto &[client, player] : players_.all())
    players[player.whom.channel]++;
  const auto take_players = [&players] (const Channel &channel) {
    const auto found = players.extract(channel.key);
    return found.empty() ? 0 : found.mapped();
  };
  ChannelsFigures figures;
  for (std::size_t i = 0; i < all.size(); i++) {
    if (i < named) {
      figures.named.push_back(figures_of(*all[i], now));
      figures.named.back().plays += take_players(*all[i]);
      continue;
    }
    figures.others++;
    figures.other.plays += take_players(*all[i]);
    figures.other.members += all[i]->members.size();
    figures.other.streams += all[i]->voices.size();
    for (const auto &[uid, voice] : all[i]->voices)
      figures.other.listeners += voice.listeners.size();
    count_sessions(*all[i], figures.other);
  }
  figures.others += players.size();
  for (const auto &[channel, count] : players)
    figures.other.plays += count;
  return figures;
}

}  // namespace agora::gateway
