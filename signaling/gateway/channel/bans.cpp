// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

using protocol::EventKind;

namespace {

// A wall clock that was set wrong and is put right must not make a rule outlast its end by much.
constexpr std::int64_t rule_look_again_s = 60;

}  // namespace

Whom ChannelBook::whom(const Member &member) {
  return {member.channel->app_id, member.channel->name, member.uid, member.account, member.network};
}

bool ChannelBook::forbidden(const Whom &whom, std::int64_t wall_s, bool Rule::*what) const {
  if (rules_.empty())
    return false;
  const Suspect who(whom);
  return std::any_of(rules_.begin(), rules_.end(), [&] (const auto &each) {
    const Rule &rule = each.second;
    return rule.*what && rule.ends_at > wall_s && matches(rule, who);
  });
}

bool ChannelBook::silenced(const Member &member, Now now) const {
  return forbidden(whom(member), now.wall_s, &Rule::publish_audio);
}

bool ChannelBook::silences(std::string_view app_id, std::string_view channel,
                           const MemberInfo &member, Now now) const {
  const std::string network = network_of(member.address);
  return forbidden({app_id, channel, member.uid, member.account, network}, now.wall_s,
                   &Rule::publish_audio);
}

void ChannelBook::ban(Step &step, Member &member) {
  tell(step, member, {EventKind::banned});
  MemberSession *socket = member.session;
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
  apply_rule(step, rule);
  return finish(step);
}

void ChannelBook::apply_rule(Step &step, Rule &rule) {
  // An IPv6 address stands for its /64: whoever has one has them all.
  rule.network = network_of(rule.address);
  std::vector<MemberId> hit;
  for (const auto &[id, who] : members_)
    if (who->entrance != Entrance::mix && !who->orphan && matches(rule, Suspect(whom(*who))))
      hit.push_back(id);
  if (rule.uid)
    for (MemberId id : hit)
      if (const std::string &account = member(id)->account; !account.empty())
        rule.accounts.insert(account);
  if (rule.ends_at > step.now.wall_s)
    rules_[rule.id] = rule;
  for (MemberId id : hit) {
    Member &who = *member(id);
    if (rule.join_channel)
      ban(step, who);
    else if (rule.publish_audio && !rules_.contains(rule.id))
      silence_once(step, who);
    else
      update_silence(step, who);
  }
  if (rule.join_channel)
    ban_players(step, rule);
  if (rules_.contains(rule.id))
    watch_rule(step, rule);
}

void ChannelBook::watch_rule(const Step &step, const Rule &rule) {
  const std::int64_t left_s = std::max<std::int64_t>(rule.ends_at - step.now.wall_s, 0);
  deadlines_.set({Deadline::rule, rule.id},
                 step.now.mono_ms + std::min(left_s, rule_look_again_s) * 1000);
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
  end_idle_encoder(step, member);
}

// It isn't there without its push.
void ChannelBook::end_idle_encoder(Step &step, Member &member) {
  if (member.entrance == Entrance::encoder && !member.live)
    remove(step, member, LeaveReason::other);
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
  end_idle_encoder(step, member);
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
  return finish(step);
}

bool ChannelBook::rules_full(Now now) const {
  return rules_.size() >= cluster::most_rules &&
         kept_rules(now).rules.size() >= cluster::most_rules;
}

KeptRules ChannelBook::kept_rules(Now now) const {
  KeptRules kept;
  kept.next = next_rule_;
  for (const auto &[id, rule] : rules_)
    if (rule.ends_at > now.wall_s)
      kept.rules.push_back(rule);
  return kept;
}

void ChannelBook::restore_rules(KeptRules kept, Now now) {
  const Step step{now, {}};
  next_rule_ = std::max(next_rule_, kept.next);
  for (Rule &rule : kept.rules) {
    if (rule.ends_at <= now.wall_s)
      continue;
    rule.network = network_of(rule.address);
    watch_rule(step, rule);
    const auto id = rule.id;
    rules_[id] = std::move(rule);
  }
}

std::vector<Rule> ChannelBook::rules(std::string_view app_id, Now now) const {
  std::vector<Rule> list;
  for (const auto &[id, rule] : rules_)
    if (rule.app_id == app_id && rule.ends_at > now.wall_s)
      list.push_back(rule);
  return list;
}

}  // namespace agora::gateway
