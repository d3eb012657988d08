// SPDX-License-Identifier: LGPL-2.1-or-later
// The operator's rules as the gateways of a cluster share them: each keeps them all, and holds its
// own members to them.
#include <set>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/channel/rule-text.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

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
