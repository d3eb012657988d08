// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/directory.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "signaling/gateway/cluster/argument-numbers.hpp"
#include "signaling/gateway/cluster/fields.hpp"
#include "signaling/gateway/cluster/mutants.hpp"

namespace agora::gateway::cluster {

namespace {

constexpr std::size_t number_of_args[] = {12, 8, 5, 5, 3, 3, 4, 4, 3, 1, 1, 3, 2, 0, 5, 0, 2, 5};
static_assert(std::size(number_of_args) == operation_kinds);

// Places in a record and in an entry, from 0.
enum Part { gateway_part = 0, mid_part = 1, at_part = 2, account_part = 4 };
constexpr int stream_part = 1;

Uid uid_of (std::string_view text) {
  return static_cast<Uid>(number(text));
}

Answer ok (std::vector<std::string> values = {}) {
  return {Verdict::ok, std::move(values)};
}
Answer refused (Verdict verdict) {
  return {verdict, {}};
}

}  // namespace

Answer Directory::apply(const Operation &operation, std::int64_t now_ms, const Publish &publish) {
  const auto kind = static_cast<std::size_t>(operation.kind);
  const bool any_number = operation.kind == OperationKind::rules_restore;
  if (any_number ? operation.args.size() % 4 != 0 : operation.args.size() != number_of_args[kind])
    return {};
  const Call call{operation.args, now_ms, publish};
  switch (operation.kind) {
    case OperationKind::claim:
      return claim(call);
    case OperationKind::assert_member:
      return assert_member(call);
    case OperationKind::release:
      return release(call);
    case OperationKind::speak:
      return speak(call);
    case OperationKind::hush:
      return hush(call);
    case OperationKind::reap_speakers:
      return reap_speakers(call);
    case OperationKind::reap_members:
      return reap_members(call);
    case OperationKind::lease:
      return lease(call);
    case OperationKind::mine:
      return mine(call);
    case OperationKind::snapshot:
      return snapshot(call);
    case OperationKind::members:
      return members(call);
    case OperationKind::channels:
      return channels(call);
    case OperationKind::who_is:
      return who_is(call);
    case OperationKind::rules_read:
      return rules_read();
    case OperationKind::rule_write:
      return rule_write(call);
    case OperationKind::rules_restore:
      return rules_restore(call);
    case OperationKind::rule_once:
      return rule_once(call);
    case OperationKind::say:
      return say(call);
  }
  return {};
}

std::map<Uid, std::string> Directory::members(const std::string &key) const {
  const Channel *channel = find(key);
  return channel ? channel->members : std::map<Uid, std::string>();
}

std::map<Uid, std::string> Directory::speakers(const std::string &key) const {
  const Channel *channel = find(key);
  return channel ? channel->speakers : std::map<Uid, std::string>();
}

bool Directory::alive(std::string_view gateway, std::int64_t now_ms) const {
  const auto found = leases_.find(gateway);
  return found != leases_.end() && found->second > now_ms;
}

const Directory::Channel *Directory::find(std::string_view key) const {
  const auto found = channels_.find(key);
  return found == channels_.end() ? nullptr : &found->second;
}

bool Directory::holds(const Channel *channel, Uid uid, std::string_view gateway,
                      std::string_view mid) const {
  if (!channel)
    return false;
  const auto found = channel->members.find(uid);
  return found != channel->members.end() && part(found->second, gateway_part) == gateway &&
         part(found->second, mid_part) == mid;
}

std::size_t Directory::channels_of(std::string_view app) const {
  return static_cast<std::size_t>(
      std::count_if(channels_.begin(), channels_.end(),
                    [&] (const auto &each) { return app_of_key(each.first) == app; }));
}

std::vector<std::string> Directory::keys_of(std::string_view gateway) const {
  std::vector<std::string> keys;
  for (const auto &[key, channel] : channels_)
    if (std::any_of(channel.members.begin(), channel.members.end(),
                    [&] (const auto &each) { return part(each.second, gateway_part) == gateway; }))
      keys.push_back(key);
  return keys;
}

// The next version of the channel's speakers, told to all who watch it.
void Directory::changed(const Call &call, Channel &channel, const std::string &key,
                        const std::string &what) {
  const bool restarts = mutated(Mutant::versions_restart);
  version_ = version_ || restarts ? version_ + 1 : static_cast<std::uint64_t>(call.now_ms);
  call.publish(channel_topic(key),
               std::to_string(channel.version) + ' ' + std::to_string(version_) + ' ' + what);
  channel.version = version_;
}

void Directory::drop_speaker(const Call &call, Channel &channel, const std::string &key, Uid uid) {
  const auto found = channel.speakers.find(uid);
  if (found == channel.speakers.end())
    return;
  const std::string stream(part(found->second, stream_part));
  channel.speakers.erase(found);
  changed(call, channel, key, "del " + std::to_string(uid) + ' ' + stream);
}

void Directory::drop_account(Channel &channel, Uid uid, std::string_view record) {
  const auto found = channel.accounts.find(part(record, account_part));
  if (found != channel.accounts.end() && found->second == uid)
    channel.accounts.erase(found);
}

// As a list of members has it: without its mutes and what it hears.
std::string Directory::listed(const std::string &record) {
  constexpr int fields_before_mutes = 8, name_part = 10;
  std::size_t end = 0;
  for (int field = 0; field < fields_before_mutes; field++)
    end = record.find('|', end) + 1;
  const std::string_view name = part(record, name_part);
  return record.substr(0, end) + '|' + (name.empty() ? std::string() : '|' + std::string(name));
}

void Directory::put_member(const Call &call, Channel &channel, const std::string &key, Uid uid,
                           std::string record) {
  std::string &held = channel.members[uid];
  if (!held.empty())
    drop_account(channel, uid, held);
  if (held.empty() || listed(held) != listed(record))
    call.publish(members_topic(key), "in " + std::to_string(uid) + ' ' + listed(record));
  if (const std::string_view account = part(record, account_part); !account.empty())
    channel.accounts[std::string(account)] = uid;
  held = std::move(record);
}

void Directory::drop_member(const Call &call, Channel &channel, const std::string &key, Uid uid) {
  const auto found = channel.members.find(uid);
  drop_account(channel, uid, found->second);
  const std::string gateway(part(found->second, gateway_part));
  channel.members.erase(found);
  call.publish(members_topic(key), "out " + std::to_string(uid) + ' ' + gateway);
  drop_speaker(call, channel, key, uid);
}

bool Directory::end_if_empty(const std::string &key) {
  const auto found = channels_.find(key);
  if (found == channels_.end() || !found->second.members.empty())
    return false;
  channels_.erase(found);
  return true;
}

Answer Directory::claim(const Call &call) {
  const auto &args = call.args;
  const std::string &key = args[0], &app = args[1], &account = args[3], &gateway = args[4];
  const std::string &max_members = args[8], &max_channels = args[9];
  if (args[10] != std::to_string(rules_version_))
    return {Verdict::rules, {std::to_string(rules_version_)}};
  const Channel *there = find(key);
  Uid uid = uid_of(args[2]);
  if (!uid && there && !account.empty())
    if (const auto known = there->accounts.find(account); known != there->accounts.end())
      uid = known->second;
  if (!uid)
    for (Fields fields(args[11], ','); !uid && !fields.ended();)
      if (const Uid free = uid_of(fields.next()); !there || !there->members.contains(free))
        uid = free;
  if (!uid)
    return refused(Verdict::again);

  std::string older;
  if (there)
    if (const auto found = there->members.find(uid); found != there->members.end())
      older = found->second;
  if (older.empty()) {
    if (there && number(max_members) && there->members.size() >= most(max_members))
      return refused(Verdict::full);
    if (!there && number(max_channels) && channels_of(app) >= most(max_channels))
      return refused(Verdict::too_many_channels);
  }

  Channel &channel = channels_[key];
  std::int64_t at = call.now_ms;
  std::string mid = args[5];
  bool adopted = false;
  if (!older.empty()) {
    if (!mutated(Mutant::at_stands_still))
      at = std::max(at, number(part(older, at_part)) + 1);
    adopted = args[6] == "1" && part(older, account_part) == account;
    const std::string old_mid(part(older, mid_part));
    if (adopted)
      mid = old_mid;
    if (!mutated(Mutant::gone_untold))
      call.publish(inbox_topic(part(older, gateway_part)),
                   "gone " + key + ' ' + std::to_string(uid) + ' ' + old_mid +
                       (adopted ? " 1 " : " 0 ") + gateway + ' ' + std::to_string(at));
    if (!adopted && !mutated(Mutant::claim_keeps_entry))
      drop_speaker(call, channel, key, uid);
  }
  put_member(call, channel, key, uid,
             gateway + '|' + mid + '|' + std::to_string(at) + '|' + args[7]);
  return ok({std::to_string(uid), mid, std::to_string(at), older, there ? "0" : "1",
             adopted ? "1" : "0"});
}

Answer Directory::assert_member(const Call &call) {
  const auto &args = call.args;
  const std::string &key = args[0], &gateway = args[3], &mid = args[4];
  const Uid uid = uid_of(args[2]);
  const std::int64_t at = number(args[5]);
  if (!uid)
    return {};
  const bool created = !find(key);
  Channel &channel = channels_[key];
  if (const auto found = channel.members.find(uid); found != channel.members.end()) {
    const std::string old_gateway(part(found->second, gateway_part));
    const std::string old_mid(part(found->second, mid_part));
    const std::int64_t old_at = number(part(found->second, at_part));
    if (old_gateway == gateway && old_mid == mid) {
      // Sent before the answer to this gateway's own later claim.
      if (old_at > at && !mutated(Mutant::assert_goes_back))
        return ok({"0"});
    } else {
      if (!mutated(Mutant::assert_always_wins) &&
          (old_at > at || (old_at == at && old_gateway > gateway)))
        return refused(Verdict::lost);
      // The stream is another one at once, or soon.
      const bool goes_on = args[6] == "1" || old_mid == mid;
      call.publish(inbox_topic(old_gateway), "gone " + key + ' ' + std::to_string(uid) + ' ' +
                                                 old_mid + (goes_on ? " 1 " : " 0 ") + gateway +
                                                 ' ' + std::to_string(at));
      const auto spoke = channel.speakers.find(uid);
      if (!goes_on && spoke != channel.speakers.end() &&
          part(spoke->second, gateway_part) != gateway)
        drop_speaker(call, channel, key, uid);
    }
  }
  put_member(call, channel, key, uid,
             gateway + '|' + mid + '|' + std::to_string(at) + '|' + args[7]);
  return ok({created ? "1" : "0"});
}

Answer Directory::release(const Call &call) {
  const auto &args = call.args;
  const std::string &key = args[0];
  const Uid uid = uid_of(args[2]);
  const auto found = channels_.find(key);
  if (found == channels_.end() || !found->second.members.contains(uid) ||
      (!holds(&found->second, uid, args[3], args[4]) && !mutated(Mutant::release_unfenced)))
    return refused(Verdict::lost);
  drop_member(call, found->second, key, uid);
  return ok({end_if_empty(key) ? "1" : "0"});
}

Answer Directory::speak(const Call &call) {
  const auto &args = call.args;
  const Uid uid = uid_of(args[1]);
  const auto found = channels_.find(args[0]);
  if (found == channels_.end() ||
      (!holds(&found->second, uid, args[2], args[3]) && !mutated(Mutant::speak_unfenced)))
    return refused(Verdict::lost);
  std::string &entry = found->second.speakers[uid];
  if (entry == args[4])
    return ok();
  entry = args[4];
  changed(call, found->second, args[0], "set " + args[1] + ' ' + entry);
  return ok();
}

Answer Directory::hush(const Call &call) {
  const auto &args = call.args;
  const Uid uid = uid_of(args[1]);
  const auto found = channels_.find(args[0]);
  if (found == channels_.end())
    return refused(Verdict::lost);
  const auto spoke = found->second.speakers.find(uid);
  if (spoke == found->second.speakers.end() ||
      (part(spoke->second, stream_part) != args[2] && !mutated(Mutant::hush_unfenced)))
    return refused(Verdict::lost);
  drop_speaker(call, found->second, args[0], uid);
  return ok();
}

Answer Directory::say(const Call &call) const {
  const auto &args = call.args;
  if (!holds(find(args[0]), uid_of(args[1]), args[2], args[3]))
    return refused(Verdict::lost);
  call.publish(channel_topic(args[0]), args[4]);
  return ok();
}

Answer Directory::reap_speakers(const Call &call) {
  const auto &args = call.args;
  const std::string &key = args[0], &gateway = args[1];
  if (alive(gateway, call.now_ms) && !mutated(Mutant::reap_unfenced))
    return refused(Verdict::alive);
  std::vector<Uid> over;
  const auto found = channels_.find(key);
  if (found != channels_.end())
    for (const auto &[uid, entry] : found->second.speakers)
      if (part(entry, gateway_part) == gateway)
        over.push_back(uid);
  const bool more = over.size() > most(args[2]);
  if (more)
    over.resize(most(args[2]));
  std::vector<std::string> values{more ? "1" : "0", std::to_string(over.size())};
  for (const Uid uid : over) {
    values.push_back(std::to_string(uid));
    const auto member = found->second.members.find(uid);
    values.push_back(member == found->second.members.end() ? "" : member->second);
    drop_speaker(call, found->second, key, uid);
  }
  return ok(std::move(values));
}

Answer Directory::reap_members(const Call &call) {
  const auto &args = call.args;
  const std::string &key = args[0], &gateway = args[2];
  if (alive(gateway, call.now_ms) && !mutated(Mutant::reap_unfenced))
    return refused(Verdict::alive);
  std::vector<std::string> values{"0", "0"};
  std::vector<Uid> over;
  const auto found = channels_.find(key);
  if (found != channels_.end())
    for (const auto &[uid, record] : found->second.members) {
      if (part(record, gateway_part) != gateway && !mutated(Mutant::reap_takes_all))
        continue;
      if (over.size() == most(args[3])) {
        values[0] = "1";
        break;
      }
      over.push_back(uid);
      values.push_back(std::to_string(uid));
      values.push_back(record);
    }
  for (const Uid uid : over)
    drop_member(call, found->second, key, uid);
  if (end_if_empty(key))
    values[1] = "1";
  if (keys_of(gateway).empty())
    infos_.erase(gateway);
  return ok(std::move(values));
}

}  // namespace agora::gateway::cluster
