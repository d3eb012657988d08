// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is in a channel at other gateways, for the list of its members. The store publishes who
// speaks, but not who is there: it is asked now and then, and only for channels in which somebody
// here wants to know.
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;

namespace {

// Between two looks; and more for each member that the last one has found, so that a large channel
// is no more work than many small ones.
constexpr std::int64_t look_ms = 2'000;
constexpr std::int64_t look_ms_per_member = 2;

}  // namespace

// Nothing: it is nowhere.
std::optional<std::string> ChannelBook::listed_name(const Channel &channel, Uid uid) {
  if (const auto here = channel.members.find(uid); here != channel.members.end())
    return here->second->name;
  if (const auto there = channel.elsewhere.find(uid); there != channel.elsewhere.end())
    return there->second;
  return {};
}

void ChannelBook::look_elsewhere(const Channel &channel) {
  later([this, id = channel.id, key = cluster::channel_key(channel.app_id, channel.name)] (
            cluster::Cluster &all, cluster::Moment at) {
    if (Channel *there = channel_of(key); there && there->id == id && !there->watchers.empty())
      looking_[id] = there;
    looks_[all.query(cluster::members(key), at)] = id;
  });
}

void ChannelBook::found_elsewhere(Step &step, std::uint64_t id, const cluster::Answer &answer) {
  const auto asking = asking_.extract(id);
  const auto found = looking_.find(id);
  if (found != looking_.end()) {
    Channel &channel = *found->second;
    const auto all = cluster::read_members(answer);
    if (all) {
      auto before = std::exchange(channel.elsewhere, {});
      for (const auto &[uid, record] : *all)
        if (record.gateway != config_.cluster->gateway)
          channel.elsewhere[uid] = record.name;
      before.insert(channel.elsewhere.begin(), channel.elsewhere.end());
      for (const auto &[uid, name] : before)
        channel.roster.set(uid, listed_name(channel, uid));
    }
    // Those who ask now get it as a whole.
    if (!std::exchange(channel.looked, true))
      while (channel.roster.has_news())
        channel.roster.take();
    deadlines_.set({Deadline::look, id},
                   step.now.mono_ms + look_ms +
                       look_ms_per_member * static_cast<std::int64_t>(channel.elsewhere.size()));
    tell_changes(step, channel);
  }
  if (asking.empty())
    return;
  for (const auto &[session_id, request_id] : asking.mapped()) {
    Session *from = session(session_id);
    if (!from)
      continue;
    const Asked asked{*from, request_id};
    if (from->member && from->member->channel->watchers.contains(from->member))
      give_list(step, asked, *from->member);
    else
      refuse(step, asked, Code::not_joined, "members: the channel was left meanwhile");
  }
}

}  // namespace agora::gateway
