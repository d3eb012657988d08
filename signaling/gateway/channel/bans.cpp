// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::EventKind;

namespace {

// A wall clock that was set wrong and is put right must not make a rule outlast its end by much.
constexpr std::int64_t look_again_s = 60;

bool matches (const Rule &rule, std::string_view app_id, std::string_view channel, Uid uid,
              std::string_view address) {
  return rule.app_id == app_id && (rule.channel.empty() || rule.channel == channel) &&
         (!rule.uid || rule.uid == uid) && (rule.address.empty() || rule.address == address) &&
         (!rule.channel.empty() || rule.uid || !rule.address.empty());
}

}  // namespace

bool ChannelBook::forbidden(std::string_view app_id, std::string_view channel, Uid uid,
                            std::string_view address, std::int64_t wall_s, bool Rule::*what) const {
  for (const auto &[id, rule] : rules_)
    if (rule.*what && rule.ends_at > wall_s && matches(rule, app_id, channel, uid, address))
      return true;
  return false;
}

bool ChannelBook::silenced(const Member &member, Now now) const {
  return forbidden(member.channel->app_id, member.channel->name, member.uid, member.address,
                   now.wall_s, &Rule::publish_audio);
}

void ChannelBook::ban(Step &step, Member &member) {
  tell(step, member, {EventKind::banned});
  Session *socket = member.session;
  remove(step, member, LeaveReason::banned);
  if (socket)
    close(step, *socket, CloseCode::banned, "banned");
}

Commands ChannelBook::add_rule(Rule &rule, Now now) {
  Step step{now, {}};
  // Before their timers, which then find nothing any more: so what follows from their end, follows.
  if (std::erase_if(rules_, [&] (const auto &it) { return it.second.ends_at <= step.now.wall_s; }) >
      0)
    update_silences(step);
  rule.id = next_rule_++;
  if (rule.ends_at > step.now.wall_s)
    rules_[rule.id] = rule;
  std::vector<MemberId> hit;
  for (const auto &[id, who] : members_)
    if (matches(rule, who->channel->app_id, who->channel->name, who->uid, who->address))
      hit.push_back(id);
  for (MemberId id : hit) {
    Member &who = *member(id);
    if (rule.join_channel)
      ban(step, who);
    else if (rule.publish_audio && !rules_.contains(rule.id))
      silence_once(step, who);
    else
      update_silence(step, who);
  }
  if (rules_.contains(rule.id))
    watch_rule(step, rule);
  return std::move(step.out);
}

void ChannelBook::watch_rule(Step &step, const Rule &rule) {
  const std::int64_t left_s = std::max<std::int64_t>(rule.ends_at - step.now.wall_s, 0);
  deadlines_.set({Deadline::rule, rule.id},
                 step.now.mono_ms + std::min(left_s, look_again_s) * 1000);
}

void ChannelBook::check_rule(Step &step, std::uint64_t id) {
  const auto found = rules_.find(id);
  if (found == rules_.end())
    return;
  if (found->second.ends_at > step.now.wall_s)
    return watch_rule(step, found->second);
  rules_.erase(found);
  update_silences(step);
}

void ChannelBook::update_silence(Step &step, Member &member) {
  const bool now = silenced(member, step.now);
  if (std::exchange(member.silenced, now) == now)
    return;
  // Told before its session ends, so that this is no fault to it.
  if (member.knows_silence)
    tell(step, member, {now ? EventKind::silenced : EventKind::unsilenced});
  if (now)
    unpublish(step, member);
  notice(step, member, now ? NoticeKind::member_silenced : NoticeKind::member_unsilenced);
}

// A rule of no duration ends what is on the air, once. A member that knows of silence publishes
// again when that is over, so it is told of both.
void ChannelBook::silence_once(Step &step, Member &member) {
  if (member.silenced)
    return;
  if (member.knows_silence)
    tell(step, member, {EventKind::silenced});
  unpublish(step, member);
  if (member.knows_silence)
    tell(step, member, {EventKind::unsilenced});
}

// Those that a rule may have let go.
void ChannelBook::update_silences(Step &step) {
  for (const auto &[id, who] : members_)
    if (who->silenced)
      update_silence(step, *who);
}

bool ChannelBook::change_rule(std::uint64_t id, std::int64_t ends_at, Now now) {
  Step step{now, {}};
  const auto found = rules_.find(id);
  if (found == rules_.end() || found->second.ends_at <= step.now.wall_s)
    return false;
  found->second.ends_at = ends_at;
  watch_rule(step, found->second);
  return true;
}

std::optional<Commands> ChannelBook::lift_rule(std::uint64_t id, Now now) {
  if (rules_.erase(id) == 0)
    return {};
  Step step{now, {}};
  deadlines_.cancel({Deadline::rule, id});
  update_silences(step);
  return std::move(step.out);
}

std::vector<Rule> ChannelBook::rules(std::string_view app_id, Now now) const {
  std::vector<Rule> list;
  for (const auto &[id, rule] : rules_)
    if (rule.app_id == app_id && rule.ends_at > now.wall_s)
      list.push_back(rule);
  return list;
}

}  // namespace agora::gateway
