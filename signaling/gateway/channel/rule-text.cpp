// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/rule-text.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "signaling/gateway/cluster/fields.hpp"
#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/gateway/cluster/record.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

namespace {

constexpr std::string_view head = "agora-rules 1";
// It is escaped once more on its way to the store, and each character may take three there.
constexpr std::size_t most_text = cluster::max_rule / 3;
// Far from where numbers end, so that there is always a next one.
constexpr std::uint64_t last_id = 1'000'000'000'000'000;

std::string line_of (const Rule &rule) {
  return "rule " + std::to_string(rule.id) + " " + std::to_string(rule.ends_at) + " " +
         cluster::escape(rule.app_id) + " " + rule_text(rule) + "\n";
}

std::optional<std::uint64_t> id_of (std::string_view text) {
  const auto id = cluster::parse_number(text);
  return id && *id > 0 && *id < last_id ? id : std::nullopt;
}

std::optional<Rule> parse_line (std::string_view line) {
  cluster::Fields fields(line, ' ');
  if (line.size() > cluster::max_rule || fields.next() != "rule")
    return {};
  const auto id = id_of(fields.next());
  const auto ends_at = cluster::parse_number(fields.next());
  const auto app_id = cluster::unescape(fields.next());
  auto rule = parse_rule_text(fields.next());
  if (!fields.exact() || !id || !ends_at || !app_id || !rule || protocol::check_app_id(*app_id) ||
      (!rule->channel.empty() && protocol::check_channel(rule->channel)) ||
      rule->address.size() > 64 ||
      std::any_of(rule->accounts.begin(), rule->accounts.end(), protocol::check_account))
    return {};
  rule->id = *id;
  rule->ends_at = static_cast<std::int64_t>(*ends_at);
  rule->app_id = *app_id;
  return rule;
}

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

std::string kept_text (const KeptRules &kept) {
  std::string text(head);
  text += "\nnext " + std::to_string(kept.next) + "\n";
  for (const Rule &rule : kept.rules)
    text += line_of(rule);
  // A file that was cut off has no such line.
  return text + "end " + std::to_string(kept.rules.size()) + "\n";
}

ReadRules read_kept (std::string_view text) {
  ReadRules out;
  std::size_t number = 0;
  const auto bad = [&] (const std::string &what) {
    if (out.bad++ == 0)
      out.problem = "line " + std::to_string(number) + ": " + what;
  };
  std::set<std::uint64_t> ids;
  std::optional<std::uint64_t> count;
  cluster::Fields lines(text, '\n');
  while (!lines.ended()) {
    const std::string_view line = lines.next();
    number++;
    if (number == 1) {
      if (line == head)
        continue;
      bad("expected \"" + std::string(head) + "\"");
      return out;
    }
    if (lines.ended() && line.empty())
      break;
    if (count) {
      bad("something after the end");
    } else if (line.starts_with("next ")) {
      const auto next = cluster::parse_number(line.substr(5));
      if (next && *next > 0 && *next <= last_id)
        out.kept.next = std::max(out.kept.next, *next);
      else
        bad("expected the number of the next rule");
    } else if (line.starts_with("end ")) {
      count = cluster::parse_number(line.substr(4));
      if (!count)
        bad("expected the number of rules");
    } else if (auto rule = parse_line(line)) {
      if (out.kept.rules.size() == cluster::most_rules)
        bad("more than " + std::to_string(cluster::most_rules) + " rules");
      else if (!ids.insert(rule->id).second)
        bad("a second rule " + std::to_string(rule->id));
      else
        out.kept.rules.push_back(std::move(*rule));
    } else {
      bad("expected a rule");
    }
  }
  if (!count)
    bad("it breaks off");
  else if (out.bad == 0 && *count != out.kept.rules.size())
    bad("expected " + std::to_string(*count) + " rules above, not " +
        std::to_string(out.kept.rules.size()));
  if (!ids.empty())
    out.kept.next = std::max(out.kept.next, *ids.rbegin() + 1);
  return out;
}

}  // namespace agora::gateway
