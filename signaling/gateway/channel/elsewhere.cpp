// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is in a channel at other gateways, for the list of its members. The store tells of each who
// comes and goes, and is asked now and then besides, since its word may get lost, and gateways that
// are older say none. Both only for channels in which somebody here wants to know.
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

// Nothing: it is nowhere.
std::optional<std::string> ChannelBook::listed_name(const Channel &channel, Uid uid) const {
  if (const auto here = channel.members.find(uid); here != channel.members.end())
    return here->second->name;
  if (const Looks::There *there = looks_.find(channel.key, uid))
    return there->name;
  return {};
}

void ChannelBook::follow(const Channel &channel, bool on) {
  later([key = cluster::channel_key(channel.app_id, channel.name), on] (
            cluster::Cluster &all, cluster::Moment at) { all.follow(key, on, at); });
}

// One that is here is another gateway's once that has taken it: taken() tells.
void ChannelBook::member_set(const std::string &key, Uid uid, const cluster::MemberRecord &who) {
  Channel *channel = channel_of(key);
  if (!channel || channel->watchers.empty() || channel->members.contains(uid))
    return;
  looks_.seen(channel->key, uid, false, {{who.name, who.role, who.joined_s}});
  list_changed(*cluster_step_, *channel, uid);
}

void ChannelBook::member_gone(const std::string &key, Uid uid) {
  Channel *channel = channel_of(key);
  if (!channel || channel->watchers.empty() || channel->members.contains(uid))
    return;
  looks_.left(channel->key, uid);
  list_changed(*cluster_step_, *channel, uid);
}

void ChannelBook::look_elsewhere(Step &step) {
  if (!cluster_)
    return;
  const std::int64_t now = step.now.mono_ms;
  while (const auto key = looks_.take(now)) {
    const Channel &channel = *channels_.at(*key);
    later([this, key = *key, there = cluster::channel_key(channel.app_id, channel.name)] (
              cluster::Cluster &all, cluster::Moment at) {
      tickets_of_looks_[all.query(cluster::members(there), at)] = key;
    });
  }
  if (const auto next = looks_.next_ms(now))
    deadlines_.set({Deadline::look, 0}, std::max(*next, now + 1));
  else
    deadlines_.cancel({Deadline::look, 0});
}

void ChannelBook::found_elsewhere(Step &step, const std::string &key,
                                  const cluster::Answer &answer) {
  const auto all = cluster::read_members(answer);
  std::optional<Looks::Found> found;
  if (all) {
    found.emplace();
    for (const auto &[uid, record] : *all)
      if (record.gateway != config_.cluster->gateway)
        (*found)[uid] = {record.name, record.role, record.joined_s};
  }
  const std::size_t many = found ? found->size() : 0;
  const auto news = looks_.answered(key, std::move(found), step.now.mono_ms);
  if (const auto there = channels_.find(key);
      there != channels_.end() && !there->second->watchers.empty()) {
    Channel &channel = *there->second;
    if (channel.has_list) {
      for (const Uid uid : news)
        channel.roster.set(uid, listed_name(channel, uid));
      tell_changes(step, channel);
    } else {
      begin_list(channel);
      answer_waiting(step, channel);
    }
  }
  looks_.charge(key, step.now.mono_ms, many);
  look_elsewhere(step);
}

}  // namespace agora::gateway
