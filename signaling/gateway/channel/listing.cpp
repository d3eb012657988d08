// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else is in the channel, where the operator lets an app's members know: a list for who asks,
// and from then on who comes and goes. As with streams it is the state that is told, after those
// and within a share of what the channel may tell, so that a crowd at the door is no flood inside.
#include <algorithm>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::EventKind;

namespace {

// Who comes and goes faster than that is told of once, or not at all.
constexpr std::int64_t list_pause_ms = 500;
// One of a list weighs less than an event.
constexpr std::size_t listed_per_event = 8;

}  // namespace

bool ChannelBook::shows_members(std::string_view app_id) const {
  return config_.show_members.contains(app_id) || config_.show_members.contains("*");
}

void ChannelBook::set_show_members(ShownApps apps) {
  config_.show_members = std::move(apps);
  for (const auto &[key, channel] : channels_)
    if (!shows_members(channel->app_id))
      end_list(*channel);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Members &) {
  // As of any action that a gateway doesn't know.
  if (!member.knows_names)
    return refuse(step, asked, Code::bad_request, "unknown action \"members\"");
  Channel &channel = *member.channel;
  if (!shows_members(channel.app_id))
    return refuse(step, asked, Code::not_permitted,
                  "members: the operator doesn't show the members of this app");
  const std::int64_t now = step.now.mono_ms;
  if (!member.lists.take(now))
    return refuse(step, asked, Code::too_many,
                  "members: expected at most one a second, since each change is told");
  if (config_.limits.events_per_second && !channel.list_answers.is_paid(now))
    return refuse(step, asked, Code::too_many,
                  "members: the channel has too much to tell, try again in a second");
  channel.watchers.insert(&member);
  if (channel.watchers.size() == 1) {
    begin_list(channel);
    channel.list_answers.charge(now, channel.members.size() / listed_per_event);
    look_elsewhere(channel);
  }
  if (cluster_ && !cluster_->away() && !channel.looked)
    asking_[channel.id].emplace_back(asked.session.id, asked.id);
  else
    give_list(step, asked, member);
}

void ChannelBook::give_list(Step &step, const Asked &asked, const Member &member) {
  protocol::Answer answers;
  answers.list = member.channel->roster.give();
  auto &listed = answers.list->members;
  std::erase_if(listed,
                [&] (const protocol::ListedMember &each) { return each.uid == member.uid; });
  member.channel->list_answers.charge(step.now.mono_ms, listed.size() / listed_per_event);
  answer(step, asked, std::move(answers));
}

// Those who may speak come first, then those who came first.
void ChannelBook::begin_list(Channel &channel) {
  std::vector<const Member *> all;
  all.reserve(channel.members.size());
  for (const auto &[uid, member] : channel.members)
    all.push_back(member);
  const auto key = [] (const Member &member) {
    return std::tuple(member.role != protocol::Role::broadcaster, member.joined_at, member.uid);
  };
  std::sort(all.begin(), all.end(),
            [&] (const Member *a, const Member *b) { return key(*a) < key(*b); });
  for (const Member *member : all)
    channel.roster.set(member->uid, member->name);
  while (channel.roster.has_news())
    channel.roster.take();
}

// It asks anew when it has come back, since it has missed some.
void ChannelBook::stop_listing(const Member &member) {
  Channel &channel = *member.channel;
  if (channel.watchers.erase(&member) > 0 && channel.watchers.empty())
    end_list(channel);
}

void ChannelBook::end_list(Channel &channel) {
  channel.watchers.clear();
  channel.roster.clear();
  channel.elsewhere.clear();
  channel.looked = false;
  if (looking_.erase(channel.id) > 0)
    deadlines_.cancel({Deadline::look, channel.id});
}

void ChannelBook::list_changed(Step &step, Channel &channel, Uid uid) {
  if (channel.watchers.empty())
    return;
  if (channel.members.contains(uid))
    channel.elsewhere.erase(uid);
  channel.roster.set(uid, listed_name(channel, uid));
  tell_changes(step, channel);
}

// When the rest can be told; nothing: there is none, or it waits for the streams.
std::optional<std::int64_t> ChannelBook::tell_list(Step &step, Channel &channel) {
  const std::int64_t now = step.now.mono_ms;
  const bool limited = config_.limits.events_per_second != 0;
  const bool due = channel.changed.empty() && channel.list_at_ms <= now;
  while (due && channel.roster.has_news() &&
         (!limited || (channel.list_events.is_paid(now) && channel.events.is_paid(now)))) {
    channel.list_at_ms = now + list_pause_ms;
    tell_listed(step, channel, channel.roster.take());
  }
  if (!channel.changed.empty() || !channel.roster.has_news())
    return {};
  return std::max({channel.list_at_ms, now + channel.events.owed_ms(),
                   now + channel.list_events.owed_ms(), now + 1});
}

void ChannelBook::tell_listed(Step &step, Channel &channel, Roster::News news) {
  std::vector<SessionId> to;
  for (const Member *watcher : channel.watchers)
    if (watcher->session && watcher->uid != news.uid)
      to.push_back(watcher->session->id);
  if (to.empty())
    return;
  totals_.events += to.size();
  channel.events.charge(step.now.mono_ms, to.size());
  channel.list_events.charge(step.now.mono_ms, to.size());
  protocol::Event event{news.name ? EventKind::member_joined : EventKind::member_left, news.uid};
  event.text = std::move(news.name).value_or("");
  step.out.push_back(Send{std::move(to), std::move(event)});
}

}  // namespace agora::gateway
