// SPDX-License-Identifier: LGPL-2.1-or-later
// Leases, lists and rules.
#include <algorithm>

#include "signaling/gateway/cluster/argument-numbers.hpp"
#include "signaling/gateway/cluster/directory.hpp"
#include "signaling/gateway/cluster/fields.hpp"

namespace agora::gateway::cluster {

namespace {

constexpr int role_place = 3;

std::string join (const std::vector<std::string> &texts, char separator) {
  std::string out;
  for (const std::string &text : texts) {
    if (!out.empty())
      out += separator;
    out += text;
  }
  return out;
}

}  // namespace

Answer Directory::lease(const Call &call) {
  const auto &args = call.args;
  const std::string &gateway = args[0];
  const bool had = alive(gateway, call.now_ms);
  leases_[gateway] = call.now_ms + number(args[2]);
  infos_[gateway] = args[1];
  std::vector<std::string> living, dead;
  for (auto it = infos_.begin(); it != infos_.end();) {
    const auto &[name, info] = *it;
    if (alive(name, call.now_ms)) {
      living.push_back(name);
      living.push_back(info);
      ++it;
      continue;
    }
    leases_.erase(name);
    std::vector<std::string> keys = keys_of(name);
    if (keys.empty()) {
      it = infos_.erase(it);
      continue;
    }
    if (keys.size() > most(args[3]))
      keys.resize(most(args[3]));
    dead.push_back(name);
    dead.push_back(join(keys, ' '));
    ++it;
  }
  std::vector<std::string> values{had ? "kept" : "new", std::to_string(rules_version_),
                                  std::to_string(call.now_ms), std::to_string(living.size() / 2)};
  values.insert(values.end(), living.begin(), living.end());
  values.insert(values.end(), dead.begin(), dead.end());
  return {Verdict::ok, std::move(values)};
}

Answer Directory::mine(const Call &call) const {
  const auto &args = call.args;
  std::vector<std::string> values{""};
  for (auto it = channels_.upper_bound(args[1]); it != channels_.end(); ++it) {
    const auto &[key, channel] = *it;
    const std::size_t before = values.size();
    for (const auto &[uid, record] : channel.members) {
      if (part(record, 0) != args[0])
        continue;
      values.push_back(key);
      values.push_back(std::to_string(uid));
      values.emplace_back(part(record, 1));
    }
    if (values.size() > before && values.size() / 3 >= most(args[2])) {
      values[0] = key;
      break;
    }
  }
  return {Verdict::ok, std::move(values)};
}

Answer Directory::snapshot(const Call &call) const {
  const Channel *channel = find(call.args[0]);
  if (!channel)
    return {Verdict::ok, {"0"}};
  std::vector<std::string> values{std::to_string(channel->version)};
  values.reserve(1 + 2 * channel->speakers.size());
  for (const auto &[uid, entry] : channel->speakers) {
    values.push_back(std::to_string(uid));
    values.push_back(entry);
  }
  return {Verdict::ok, std::move(values)};
}

Answer Directory::members(const Call &call) const {
  std::vector<std::string> values;
  if (const Channel *channel = find(call.args[0]))
    for (const auto &[uid, record] : channel->members) {
      values.push_back(std::to_string(uid));
      values.push_back(listed(record));
    }
  return {Verdict::ok, std::move(values)};
}

Answer Directory::channels(const Call &call) const {
  const auto &args = call.args;
  std::vector<std::string> values{""};
  for (auto it = channels_.upper_bound(args[1]); it != channels_.end(); ++it) {
    const auto &[key, channel] = *it;
    if (app_of_key(key) != args[0])
      continue;
    if (values.size() / 3 >= most(args[2])) {
      values[0] = values[values.size() - 3];
      break;
    }
    const auto broadcasters =
        std::count_if(channel.members.begin(), channel.members.end(),
                      [] (const auto &each) { return part(each.second, role_place) == "b"; });
    values.push_back(key);
    values.push_back(std::to_string(channel.members.size()));
    values.push_back(std::to_string(broadcasters));
  }
  return {Verdict::ok, std::move(values)};
}

Answer Directory::who_is(const Call &call) const {
  const Channel *channel = find(call.args[0]);
  const auto uid = static_cast<Uid>(number(call.args[1]));
  if (!channel || !channel->members.contains(uid))
    return {Verdict::lost, {}};
  return {Verdict::ok, {channel->members.at(uid)}};
}

void Directory::next_rules_version(std::int64_t now_ms) {
  rules_version_ = rules_version_ ? rules_version_ + 1 : static_cast<std::uint64_t>(now_ms);
}

Answer Directory::rules_read() const {
  std::vector<std::string> values{std::to_string(rules_version_)};
  for (const auto &[name, rule] : rules_) {
    const std::size_t slash = name.find('/');
    values.push_back(name.substr(0, slash));
    values.push_back(name.substr(slash + 1));
    values.emplace_back(part(rule, 0));
    values.emplace_back(part(rule, 1));
  }
  return {Verdict::ok, std::move(values)};
}

Answer Directory::rule_write(const Call &call) {
  const auto &args = call.args;
  const std::string &app = args[0], &text = args[3];
  std::string id = args[1], ends = args[2];
  std::erase_if(rules_,
                [&] (const auto &each) { return number(part(each.second, 0)) <= call.now_ms; });
  if (id == "0") {
    if (rules_.size() >= most(args[4]))
      return {Verdict::full, {}};
    id = std::to_string(++last_rule_);
  } else if (!rules_.contains(app + '/' + id)) {
    return {Verdict::lost, {}};
  } else if (ends == std::to_string(same_end)) {
    ends = part(rules_[app + '/' + id], 0);
  }
  next_rules_version(call.now_ms);
  const std::string version = std::to_string(rules_version_);
  if (text.empty()) {
    rules_.erase(app + '/' + id);
    call.publish(std::string(rules_topic), "lift " + version + ' ' + app + ' ' + id);
  } else {
    rules_[app + '/' + id] = ends + '|' + text;
    call.publish(std::string(rules_topic),
                 "rule " + version + ' ' + app + ' ' + id + ' ' + ends + ' ' + text);
  }
  return {Verdict::ok, {version, id}};
}

Answer Directory::rules_restore(const Call &call) {
  if (rules_version_)
    return {Verdict::lost, {}};
  const auto &args = call.args;
  next_rules_version(call.now_ms);
  for (std::size_t at = 0; at < args.size(); at += 4) {
    rules_[args[at] + '/' + args[at + 1]] = args[at + 2] + '|' + args[at + 3];
    last_rule_ = std::max(last_rule_, static_cast<std::uint64_t>(number(args[at + 1])));
  }
  return {Verdict::ok, {std::to_string(rules_version_)}};
}

Answer Directory::rule_once(const Call &call) const {
  call.publish(std::string(rules_topic), "once " + call.args[0] + ' ' + call.args[1]);
  return {Verdict::ok, {}};
}

}  // namespace agora::gateway::cluster
