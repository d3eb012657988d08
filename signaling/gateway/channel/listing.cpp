// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else is in the channel, where the operator lets an app's members know: a list for who asks,
// and from then on who comes and goes. As with streams it is the state that is told, after those
// and within a share of what the channel may tell, so that a crowd at the door is no flood inside.
#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::EventKind;

namespace {

// Who comes and goes faster than that is told of once, or not at all.
constexpr std::int64_t list_pause_ms = 500;

constexpr const char *not_shown = "members: the operator doesn't show the members of this app";
constexpr const char *too_much = "members: the channel has too much to tell, try again in a second";

bool shows (const ShownApps &apps, std::string_view app_id) {
  return apps.contains(app_id) || apps.contains("*");
}

}  // namespace

bool ChannelBook::shows_members(std::string_view app_id) const {
  return shows(config_.show_members, app_id);
}

Commands ChannelBook::set_show_members(ShownApps apps, Now now) {
  Step step{now, {}};
  std::swap(config_.show_members, apps);
  for (const auto &[key, channel] : channels_) {
    const bool shown = shows_members(channel->app_id);
    if (shown == shows(apps, channel->app_id))
      continue;
    if (shown)
      tell_of_list(step, *channel, std::exchange(channel->refused, {}), EventKind::members_shown);
    else
      hide_list(step, *channel);
    // Their names are the other gateways' to know, or not any more.
    for (const auto &[uid, member] : channel->members)
      describe(*member, true);
  }
  return finish(step);
}

bool ChannelBook::may_answer(const Channel &channel, const Now &now) {
  return !config_.limits.events_per_second || looks_.is_paid(channel.key, now.mono_ms);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Members &) {
  // As of any action that a gateway doesn't know.
  if (!member.knows_names)
    return refuse(step, asked, Code::bad_request, "unknown action \"members\"");
  Channel &channel = *member.channel;
  if (!shows_members(channel.app_id)) {
    channel.refused.insert(&member);
    return refuse(step, asked, Code::not_permitted, not_shown);
  }
  const std::int64_t now = step.now.mono_ms;
  const auto waits = channel.asking.find(&member);
  if (waits != channel.asking.end() && waits->second.size() >= lists_at_once)
    return refuse(step, asked, Code::too_many,
                  "members: asked often enough: wait for the answers to that");
  if (!asked.session.lists.take(now))
    return refuse(step, asked, Code::too_many,
                  "members: expected at most one a second, since each change is told");
  if (!may_answer(channel, step.now))
    return refuse(step, asked, Code::too_many, too_much);
  if (channel.watchers.insert(&member).second && channel.watchers.size() == 1) {
    // Apart from what is told, so that who asks doesn't wait for a crowd. It outlives the channel:
    // who comes again can't ask more often.
    looks_.want(channel.key, list_share(config_.limits.events_per_second), now);
    follow(channel, true);
    look_elsewhere(step);
    if (!cluster_ || cluster_->away() || !looks_.is_looking(channel.key))
      begin_list(channel);
    const Looks::Found *found = looks_.found(channel.key);
    looks_.charge(channel.key, now, channel.members.size() + (found ? found->size() : 0));
  }
  if (channel.has_list)
    give_list(step, asked, member);
  else
    channel.asking[&member].push_back(asked.id);
}

void ChannelBook::give_list(Step &step, const Asked &asked, const Member &member) {
  protocol::Answer answers;
  answers.list = member.channel->roster.give(member.uid);
  looks_.charge(member.channel->key, step.now.mono_ms, answers.list->members.size());
  answer(step, asked, std::move(answers));
}

// The first one paid when it asked; the others find out now whether there is anything left. Who has
// asked once comes before those who have asked again.
void ChannelBook::answer_waiting(Step &step, Channel &channel) {
  bool first = true, more = true;
  const auto asking = std::exchange(channel.asking, {});
  for (std::size_t turn = 0; std::exchange(more, false); turn++)
    for (const auto &[member, ids] : asking) {
      more = more || ids.size() > turn + 1;
      if (ids.size() <= turn)
        continue;
      const Asked asked{*member->session, ids[turn]};
      if (std::exchange(first, false) || may_answer(channel, step.now)) {
        give_list(step, asked, *member);
        continue;
      }
      // Who has a list goes on to be told of changes.
      if (turn == 0)
        channel.watchers.erase(member);
      refuse(step, asked, Code::too_many, too_much);
    }
}

// Those who may speak come first, then those who came first, wherever they are.
void ChannelBook::begin_list(Channel &channel) {
  using Key = std::tuple<bool, std::int64_t, Uid>;
  std::vector<std::pair<Key, const std::string *>> all;
  const auto add = [&] (protocol::Role role, std::int64_t since, Uid uid, const std::string &name) {
    all.emplace_back(Key{role != protocol::Role::broadcaster, since, uid}, &name);
  };
  all.reserve(channel.members.size());
  for (const auto &[uid, member] : channel.members)
    add(member->role, member->joined_at, uid, member->name);
  if (const Looks::Found *found = looks_.found(channel.key))
    for (const auto &[uid, there] : *found)
      if (!channel.members.contains(uid))
        add(there.role, there.joined_s, uid, there.name);
  std::sort(all.begin(), all.end());
  for (const auto &[key, name] : all)
    channel.roster.set(std::get<Uid>(key), *name);
  while (channel.roster.has_news())
    channel.roster.take();
  channel.has_list = true;
}

// It asks anew when it has come back, since it has missed some.
void ChannelBook::stop_listing(Step &step, const Member &member) {
  Channel &channel = *member.channel;
  channel.refused.erase(&member);
  const auto waits = channel.asking.extract(&member);
  if (waits && member.session)
    for (const std::int64_t id : waits.mapped()) {
      const Asked asked{*member.session, id};
      if (asked.session.member == &member)
        refuse(step, asked, Code::bad_order, "members: joined again meanwhile: ask anew");
      else
        refuse(step, asked, Code::not_joined, "members: the channel was left meanwhile");
    }
  if (channel.watchers.erase(&member) > 0 && channel.watchers.empty())
    end_list(step, channel);
}

// Those who have the list are told; those who wait for it are by the answer. All of them hear of it
// when it is shown again.
void ChannelBook::hide_list(Step &step, Channel &channel) {
  for (const auto &[member, ids] : std::exchange(channel.asking, {}))
    for (const std::int64_t id : ids)
      refuse(step, {*member->session, id}, Code::not_permitted, not_shown);
  if (channel.has_list)
    tell_of_list(step, channel, channel.watchers, EventKind::members_hidden);
  channel.refused.merge(channel.watchers);
  end_list(step, channel);
}

void ChannelBook::tell_of_list(Step &step, Channel &channel, const Watchers &to, EventKind what) {
  std::vector<SessionId> sessions;
  for (const Member *member : to)
    if (member->session)
      sessions.push_back(member->session->id);
  if (sessions.empty())
    return;
  totals_.events += sessions.size();
  channel.events.charge(step.now.mono_ms, sessions.size());
  step.out.push_back(Send{std::move(sessions), protocol::Event{what}});
}

void ChannelBook::end_list(Step &step, Channel &channel) {
  channel.watchers.clear();
  follow(channel, false);
  channel.roster.clear();
  channel.has_list = false;
  looks_.unwant(channel.key, step.now.mono_ms);
}

void ChannelBook::list_changed(Step &step, Channel &channel, Uid uid) {
  looks_.seen(channel.key, uid, channel.members.contains(uid));
  if (!channel.has_list)
    return;
  channel.roster.set(uid, listed_name(channel, uid));
  tell_changes(step, channel);
}

// When the rest can be told; nothing: there is none, or it waits for the streams.
std::optional<std::int64_t> ChannelBook::tell_list(Step &step, Channel &channel) {
  const std::int64_t now = step.now.mono_ms;
  const bool limited = config_.limits.events_per_second != 0;
  const bool due = channel.changed.empty() && channel.list_at_ms <= now;
  const bool renames = channel.renames_at_ms <= now;
  while (due && channel.roster.has_news(renames) &&
         (!limited || (channel.list_events.is_paid(now) && channel.events.is_paid(now)))) {
    channel.list_at_ms = now + list_pause_ms;
    Roster::News news = channel.roster.take(renames);
    // Nobody is told of by more names than of other changes.
    if (news.renamed && config_.limits.changes_per_second)
      channel.renames_at_ms = now + 1'000 / config_.limits.changes_per_second;
    tell_listed(step, channel, std::move(news));
  }
  if (!channel.changed.empty() || !channel.roster.has_news())
    return {};
  const bool waits = !channel.roster.has_news(renames);
  return std::max({channel.list_at_ms, waits ? channel.renames_at_ms : 0,
                   now + channel.events.owed_ms(), now + channel.list_events.owed_ms(), now + 1});
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
