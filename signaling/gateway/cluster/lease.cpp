// SPDX-License-Identifier: LGPL-2.1-or-later
// The store comes and goes, and so do the other gateways.
#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/gateway/cluster/mutants.hpp"

namespace agora::gateway::cluster {

namespace {

constexpr std::size_t most_asserting = 256;

}  // namespace

void Cluster::store_up(Moment now) {
  now_ = now;
  up_ = true;
  up_since_ms_ = now.mono_ms;
  restored_rules_ = false;
  had_lease_ = false;
  renew();
}

void Cluster::store_down(Moment now) {
  now_ = now;
  up_ = false;
  // Time without the store tells nothing about others.
  if (!mutated(Mutant::outage_counts))
    dead_since_ms_.clear();
  deadlines_.cancel({Deadline::Kind::lease, 0, 0});
  deadlines_.cancel({Deadline::Kind::purge, 0, 0});
  to_assert_.clear();
  std::vector<std::uint64_t> ids;
  for (const auto &[key, channel] : channels_)
    ids.push_back(channel->id);
  for (const std::uint64_t id : ids) {
    Channel *channel = find(id);
    if (!channel)
      continue;
    channel->watched = channel->synced = channel->snapping = channel->snap_again =
        channel->overflowed = false;
    channel->waiting_messages.clear();
    if (!mutated(Mutant::doubt_survives_outage)) {
      channel->doubts.clear();
      deadlines_.cancel({Deadline::Kind::doubt, id, 0});
    }
    deadlines_.cancel({Deadline::Kind::snapshot, id, 0});
    release_waiting(*channel);
  }
}

void Cluster::set_info(const std::string &info, Moment now) {
  now_ = now;
  settings_.info = info;
  if (up_)
    renew();
}

// ---- leases

void Cluster::renew() {
  if (!up_)
    return;
  deadlines_.set({Deadline::Kind::lease, 0, 0}, now_.mono_ms + settings_.times.renew_ms);
  send(cluster::lease(settings_.gateway, settings_.info, settings_.times.lease_ms), {});
}

void Cluster::leased(const Answer &answer) {
  if (answer.verdict == Verdict::away)
    return;
  const auto read = read_lease(answer);
  if (!read)
    return odd("answer to a lease", to_string(answer.verdict));
  store_ahead_ms_ = read->now_ms - now_.mono_ms;
  alive_.clear();
  alive_.insert(read->alive.begin(), read->alive.end());
  if (read->rules_version != rules_version_)
    read_rules();
  // Others took this gateway for dead, or the store forgot. The first one of a connection is
  // followed by a resync anyway.
  if (std::exchange(had_lease_, true) && !read->kept && !mutated(Mutant::no_resync_without_lease))
    resync();
  look_at_the_dead(*read);
}

// Nobody renews their leases: their speakers go first, their members later. A stream there of whom
// is a member elsewhere by now is that gateway's to end: watch_stray().
void Cluster::look_at_the_dead(const LeaseAnswer &answer) {
  std::map<std::string, std::set<std::string>, std::less<>> dead;
  for (const auto &[gateway, keys] : answer.dead)
    dead[gateway].insert(keys.begin(), keys.end());
  std::erase_if(dead_since_ms_, [&] (const auto &each) { return !dead.contains(each.first); });
  for (const auto &[gateway, keys] : dead) {
    if (gateway == settings_.gateway)
      continue;
    const std::int64_t since = dead_since_ms_.try_emplace(gateway, now_.mono_ms).first->second;
    const std::int64_t silent_ms = now_.mono_ms - since;
    if (silent_ms < settings_.times.hold_ms)
      continue;
    for (const std::string &key : keys) {
      reap(gateway, key, false);
      if (silent_ms >= settings_.times.grace_ms)
        reap(gateway, key, true);
    }
  }
}

void Cluster::reap(const std::string &gateway, const std::string &key, bool members) {
  Pending asked;
  asked.text = key + ' ' + gateway;
  send(members ? reap_members(key, gateway) : reap_speakers(key, gateway), std::move(asked));
}

void Cluster::reap_answered(const Pending &asked, const Answer &answer) {
  if (answer.verdict != Verdict::ok)
    return;
  const auto read = read_reaped(asked.kind, answer);
  if (!read)
    return odd("answer to reaping", to_string(answer.verdict));
  const std::size_t blank = asked.text.find(' ');
  const std::string key = asked.text.substr(0, blank), gateway = asked.text.substr(blank + 1);
  const bool of_speakers = asked.kind == OperationKind::reap_speakers;
  if (!of_speakers)
    counts_.reaped += read->members.size();
  if (of_speakers && !read->members.empty())
    host_.cut_off(key, read->members);
  else if (!read->members.empty())
    host_.reaped(key, read->members, read->ended);
  if (read->more && up_ && (of_speakers || !read->members.empty()))
    reap(gateway, key, !of_speakers);
}

// ---- what is here, told anew

void Cluster::resync() {
  if (!up_ || mutated(Mutant::no_resync))
    return;
  counts_.resyncs++;
  to_assert_.clear();
  for (const auto &[key, channel] : channels_) {
    for (const auto &[uid, local] : channel->locals)
      if (!local.orphan)
        to_assert_.emplace_back(channel->id, uid);
    snapshot(*channel);
  }
  pace();
  purge();
}

void Cluster::pace() {
  while (asserting_ < most_asserting && !to_assert_.empty()) {
    const auto [id, uid] = to_assert_.front();
    to_assert_.pop_front();
    Channel *channel = find(id);
    if (!channel)
      continue;
    const auto found = channel->locals.find(uid);
    if (found == channel->locals.end() || found->second.orphan)
      continue;
    found->second.spoke_again = false;
    asserting_++;
    assert_local(*channel, uid, found->second, true);
  }
}

// What the store has under this gateway's name, and isn't here: a release got lost.
void Cluster::purge(std::string_view after) {
  if (!up_ || mutated(Mutant::no_purge))
    return;
  Pending asked;
  asked.text = after;
  send(mine(settings_.gateway, after), std::move(asked));
}

void Cluster::purge_answered(const Pending &asked, const Answer &answer) {
  if (answer.verdict == Verdict::away || !up_)
    return;
  const auto read = read_mine(answer);
  if (!read)
    return odd("answer to what is of this gateway", to_string(answer.verdict));
  if (mutated(Mutant::purge_waits_for_joins) && !joins_.empty())
    return;
  bool again = false;
  for (const Mine::Held &held : read->held) {
    Channel *channel = find(held.key);
    if (channel) {
      const auto local = channel->locals.find(held.uid);
      if (local != channel->locals.end() && local->second.who.mid == held.mid) {
        again = again || local->second.orphan;
        continue;
      }
    }
    // Somebody who is about to adopt that very member would be released with it.
    const bool awaited = channel && channel->joining &&
                         std::any_of(joins_.begin(), joins_.end(), [&] (const auto &each) {
                           const Join &join = each.second;
                           const Uid uid = join.claimed ? join.answer.uid : join.request.uid;
                           return join.channel == channel->id && (!uid || uid == held.uid);
                         });
    if (awaited)
      again = true;
    else
      send(cluster::release(held.key, held.uid, settings_.gateway, held.mid), {});
  }
  if (again)
    deadlines_.set({Deadline::Kind::purge, 0, 0}, now_.mono_ms + settings_.times.renew_ms);
  if (read->next > asked.text)
    purge(read->next);
}

// ---- the operator's rules

void Cluster::read_rules() {
  if (!up_ || std::exchange(reading_rules_, true))
    return;
  send(rules_read(), {});
}

void Cluster::rules_answered(const Answer &answer) {
  reading_rules_ = false;
  const auto read = cluster::read_rules(answer);
  if (!read) {
    if (answer.verdict != Verdict::away)
      odd("answer about the rules", to_string(answer.verdict));
    return give_up_rules();
  }
  // The store has lost them. Who has joined is held to them, and so must be who comes.
  if (read->version == "0" && !std::exchange(restored_rules_, true)) {
    std::vector<StoredRule> known;
    for (const auto &[name, rule] : rules_)
      if (rule.ends_ms > store_now())
        known.push_back(rule);
    if (!known.empty()) {
      reading_rules_ = true;  // until that is answered
      send(rules_restore(known), {});
      return;
    }
  }
  rules_version_ = read->version;
  rules_.clear();
  for (const StoredRule &rule : read->rules)
    if (rules_.size() < most_rules)
      rules_.insert_or_assign({rule.app_id, rule.id}, rule);
  tell_rules();
  for (const JoinId join : std::exchange(joins_awaiting_rules_, {}))
    if (host_.allows(join))
      send_claim(join);
    else
      refuse(join, Verdict::rules);
  // One that came after this answer was given.
  if (std::exchange(rules_heard_, 0) > parse_number(rules_version_).value_or(0))
    read_rules();
}

void Cluster::give_up_rules() {
  for (const JoinId join : std::exchange(joins_awaiting_rules_, {}))
    claim_locally(join);
}

void Cluster::tell_rules() {
  std::vector<StoredRule> all;
  all.reserve(rules_.size());
  for (const auto &[name, rule] : rules_)
    all.push_back(rule);
  host_.rules(all);
}

void Cluster::heard_rule(const RuleMessage &message) {
  if (message.kind == RuleMessage::Kind::once)
    return host_.rule_once(message.rule.app_id, message.rule.text);
  const std::uint64_t known = parse_number(rules_version_).value_or(0);
  const std::uint64_t version = parse_number(message.version).value_or(0);
  // The version tells whether one got lost.
  if (reading_rules_) {
    rules_heard_ = std::max(rules_heard_, version);
    return;
  }
  if (version != known + 1) {
    if (version > known)
      read_rules();
    return;
  }
  rules_version_ = message.version;
  const std::pair<std::string, std::uint64_t> name{message.rule.app_id, message.rule.id};
  if (message.kind == RuleMessage::Kind::lift)
    rules_.erase(name);
  else if (rules_.size() < most_rules || rules_.contains(name))
    rules_.insert_or_assign(name, message.rule);
  tell_rules();
}

}  // namespace agora::gateway::cluster
