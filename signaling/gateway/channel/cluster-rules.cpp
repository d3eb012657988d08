// SPDX-License-Identifier: LGPL-2.1-or-later
// The operator's rules as the gateways of a cluster share them: each keeps them all, and holds its
// own members to them.
#include <set>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/cluster/fields.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

namespace {

// It is escaped once more on its way, and each character may take three there.
constexpr std::size_t most_text = cluster::max_rule / 3;

}  // namespace

// channel|uid|address|what it takes: of "jav" (join, audio, video)|account, and each further one
std::string rule_text (const Rule &rule) {
  std::string text = cluster::escape(rule.channel) + "|" + std::to_string(rule.uid) + "|" +
                     cluster::escape(rule.address) + "|" + (rule.join_channel ? "j" : "") +
                     (rule.publish_audio ? "a" : "") + (rule.publish_video ? "v" : "");
  for (const std::string &account : rule.accounts) {
    const std::string escaped = cluster::escape(account);
    if (text.size() + 1 + escaped.size() > most_text)
      break;
    text += '|' + escaped;
  }
  return text;
}

std::optional<Rule> parse_rule_text (std::string_view text) {
  cluster::Fields fields(text, '|');
  const auto channel = cluster::unescape(fields.next());
  const auto uid = protocol::parse_uid(std::string(fields.next()));
  const auto address = cluster::unescape(fields.next());
  const std::string_view what = fields.next();
  Rule rule;
  while (!fields.ended()) {
    auto account = cluster::unescape(fields.next());
    if (!account || account->empty())
      return {};
    rule.accounts.insert(std::move(*account));
  }
  if (!fields.exact() || !channel || !uid || !address || what.empty() ||
      what.find_first_not_of("jav") != std::string_view::npos)
    return {};
  if (channel->empty() && !*uid && address->empty())
    return {};
  rule.channel = *channel;
  rule.uid = *uid;
  rule.address = *address;
  rule.join_channel = what.find('j') != std::string_view::npos;
  rule.publish_audio = what.find('a') != std::string_view::npos;
  rule.publish_video = what.find('v') != std::string_view::npos;
  return rule;
}

void ChannelBook::rules(const std::vector<cluster::StoredRule> &all) {
  Step &step = *cluster_step_;
  // By the wall clock here.
  const std::int64_t ahead_ms = to_shared_ms(0, step.now);
  std::set<std::uint64_t> there;
  for (const cluster::StoredRule &stored : all) {
    there.insert(stored.id);
    const std::int64_t ends_at = (stored.ends_ms - ahead_ms + 999) / 1000;
    if (const auto known = rules_.find(stored.id); known != rules_.end()) {
      if (std::exchange(known->second.ends_at, ends_at) != ends_at)
        watch_rule(step, known->second);
      if (known->second.stored == stored.text)
        continue;
    }
    auto rule = parse_rule_text(stored.text);
    if (!rule)
      odd("a rule that is none: " + protocol::quoted(stored.text));
    if (!rule || ends_at <= step.now.wall_s)
      continue;
    rule->app_id = stored.app_id;
    rule->id = stored.id;
    rule->ends_at = ends_at;
    rule->stored = stored.text;
    // Another gateway has hit more accounts, and so may this one have.
    if (const auto known = rules_.find(stored.id); known != rules_.end())
      rule->accounts.insert(known->second.accounts.begin(), known->second.accounts.end());
    apply_rule(step, *rule);
    share_accounts(*rule);
  }
  bool lifted = false;
  for (auto each = rules_.begin(); each != rules_.end();) {
    if (there.contains(each->first)) {
      ++each;
      continue;
    }
    deadlines_.cancel({Deadline::rule, each->first});
    each = rules_.erase(each);
    lifted = true;
  }
  if (lifted)
    update_silences(step);
}

// What the others don't know yet of whom it has hit. Each of those who write at the same time gets
// the other's text then, and adds what is lacking there: so it ends with all of them.
void ChannelBook::share_accounts(const Rule &rule) {
  std::string text = rule_text(rule);
  if (rule.accounts.empty() || text == rule.stored)
    return;
  later([stored = cluster::StoredRule{rule.app_id, rule.id, cluster::same_end, std::move(text)}] (
            cluster::Cluster &all, cluster::Moment at) {
    all.query(cluster::rule_write(stored), at);
  });
}

void ChannelBook::rule_once(const std::string &app_id, const std::string &text) {
  auto rule = parse_rule_text(text);
  if (!rule)
    return odd("a rule that is none: " + protocol::quoted(text));
  rule->app_id = app_id;
  rule->ends_at = cluster_step_->now.wall_s;
  apply_rule(*cluster_step_, *rule);
}

}  // namespace agora::gateway
