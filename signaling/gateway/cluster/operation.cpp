// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/operation.hpp"

#include <algorithm>
#include <array>

#include "signaling/gateway/cluster/fields.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway::cluster {

namespace {

constexpr std::array<std::string_view, operation_kinds> kind_names{
    "claim",        "assert-member", "release",    "speak",         "hush",      "reap-speakers",
    "reap-members", "lease",         "mine",       "snapshot",      "members",   "channels",
    "who-is",       "rules-read",    "rule-write", "rules-restore", "rule-once", "say"};
constexpr std::array<std::string_view, 8> verdict_names{
    "away", "ok", "again", "rules", "full", "too_many_channels", "lost", "alive"};

std::string flag (bool set) {
  return set ? "1" : "0";
}

std::optional<bool> read_flag (std::string_view text) {
  if (text != "0" && text != "1")
    return {};
  return text == "1";
}

// A uid of a member: "0" is none.
std::optional<Uid> read_uid (std::string_view text) {
  const auto number = parse_number(text);
  if (!number || *number == 0 || *number > 0xffffffff)
    return {};
  return static_cast<Uid>(*number);
}

std::optional<std::string> read_version (std::string_view text) {
  if (!parse_number(text))
    return {};
  return std::string(text);
}

bool is_ok (const Answer &answer, std::size_t least) {
  return answer.verdict == Verdict::ok && answer.values.size() >= least;
}

}  // namespace

std::string_view to_string (OperationKind kind) {
  return kind_names.at(static_cast<std::size_t>(kind));
}

std::string_view to_string (Verdict verdict) {
  return verdict_names.at(static_cast<std::size_t>(verdict));
}

Answer answer_of (std::vector<std::string> reply) {
  if (reply.empty())
    return {};
  const auto *const found = std::find(verdict_names.begin() + 1, verdict_names.end(), reply[0]);
  if (found == verdict_names.end())
    return {};
  reply.erase(reply.begin());
  return {static_cast<Verdict>(found - verdict_names.begin()), std::move(reply)};
}

std::string inbox_topic (std::string_view gateway) {
  return "ag:in:" + std::string(gateway);
}
std::string channel_topic (std::string_view key) {
  return "ag:" + std::string(key);
}
std::string members_topic (std::string_view key) {
  return std::string(members_prefix) + std::string(key);
}

Operation claim (const Claim &claim) {
  std::string candidates;
  for (const Uid uid : claim.candidates) {
    if (!candidates.empty())
      candidates += ',';
    candidates += std::to_string(uid);
  }
  return {OperationKind::claim,
          {claim.key, std::string(app_of_key(claim.key)), std::to_string(claim.uid),
           escape(claim.who.account), claim.who.gateway, to_text(claim.who.mid), flag(claim.adopt),
           rest_of(claim.who), std::to_string(claim.max_members),
           std::to_string(claim.max_channels), claim.rules_version, std::move(candidates)}};
}

std::optional<ClaimAnswer> read_claim (const Answer &answer) {
  if (!is_ok(answer, 6))
    return {};
  const auto &values = answer.values;
  const auto uid = read_uid(values[0]);
  const auto mid = parse_mid(values[1]);
  const auto at = parse_number(values[2]);
  const auto created = read_flag(values[4]), adopted = read_flag(values[5]);
  if (!uid || !mid || !at || !created || !adopted)
    return {};
  // An older record that is none is nobody's.
  return {
      {*uid, *mid, static_cast<std::int64_t>(*at), parse_record(values[3]), *created, *adopted}};
}

Operation assert_member (std::string_view key, Uid uid, const MemberRecord &who, bool speaks) {
  return {OperationKind::assert_member,
          {std::string(key), std::string(app_of_key(key)), std::to_string(uid), who.gateway,
           to_text(who.mid), std::to_string(who.at_ms), flag(speaks), rest_of(who)}};
}

Operation release (std::string_view key, Uid uid, std::string_view gateway, MemberId mid) {
  return {OperationKind::release,
          {std::string(key), std::string(app_of_key(key)), std::to_string(uid),
           std::string(gateway), to_text(mid)}};
}

Operation speak (std::string_view key, Uid uid, MemberId mid, const SpeakerEntry &entry) {
  return {OperationKind::speak,
          {std::string(key), std::to_string(uid), entry.gateway, to_text(mid), to_text(entry)}};
}

Operation hush (std::string_view key, Uid uid, std::string_view stream) {
  return {OperationKind::hush, {std::string(key), std::to_string(uid), std::string(stream)}};
}

// said GW UID uid,…|* TEXT
Operation say (std::string_view key, Uid uid, MemberId mid, const SaidMessage &message) {
  std::string text = "said " + message.gateway + ' ' + std::to_string(message.uid) + ' ';
  text += message.data.to.empty() ? "*" : to_text(message.data.to);
  text += ' ' + escape(message.data.text);
  return {OperationKind::say,
          {std::string(key), std::to_string(uid), message.gateway, to_text(mid), std::move(text)}};
}

std::optional<SaidMessage> read_said_message (std::string_view text) {
  if (text.size() > max_record)
    return {};
  Fields fields(text, ' ');
  const bool said = fields.next() == "said";
  const std::string_view gateway = fields.next();
  const auto uid = read_uid(fields.next());
  const std::string_view to = fields.next();
  auto words = unescape(fields.next());
  const auto list = to == "*" ? protocol::Addressees() : parse_addressees(to);
  if (!fields.exact() || !said || !is_gateway(gateway) || !uid || !list || !words ||
      words->empty() || words->size() > protocol::max_data || !protocol::is_utf8(*words))
    return {};
  return {{std::string(gateway), *uid, {*list, std::move(*words)}}};
}

Operation reap_speakers (std::string_view key, std::string_view gateway) {
  return {OperationKind::reap_speakers,
          {std::string(key), std::string(gateway), std::to_string(reap_most)}};
}

Operation reap_members (std::string_view key, std::string_view gateway) {
  return {OperationKind::reap_members,
          {std::string(key), std::string(app_of_key(key)), std::string(gateway),
           std::to_string(reap_most)}};
}

std::optional<Reaped> read_reaped (OperationKind kind, const Answer &answer) {
  if (!is_ok(answer, 2))
    return {};
  const auto more = read_flag(answer.values[0]);
  if (!more)
    return {};
  const bool of_speakers = kind == OperationKind::reap_speakers;
  const auto ended = of_speakers ? std::optional(false) : read_flag(answer.values[1]);
  if (!ended || answer.values.size() % 2)
    return {};
  Reaped reaped{*more, *ended, {}};
  for (std::size_t at = 2; at < answer.values.size(); at += 2) {
    const auto uid = read_uid(answer.values[at]);
    auto record = parse_record(answer.values[at + 1]);
    if (uid && record)
      reaped.members.emplace_back(*uid, std::move(*record));
  }
  return reaped;
}

Operation lease (std::string_view gateway, std::string_view info, std::int64_t ttl_ms) {
  return {OperationKind::lease,
          {std::string(gateway), std::string(info), std::to_string(ttl_ms),
           std::to_string(lease_most)}};
}

std::optional<LeaseAnswer> read_lease (const Answer &answer) {
  if (!is_ok(answer, 4))
    return {};
  const auto &values = answer.values;
  const auto version = read_version(values[1]);
  const auto now = parse_number(values[2]), alive = parse_number(values[3]);
  if ((values[0] != "kept" && values[0] != "new") || !version || !now || !alive ||
      *alive > (values.size() - 4) / 2 || values.size() % 2)
    return {};
  LeaseAnswer out;
  out.kept = values[0] == "kept";
  out.rules_version = *version;
  out.now_ms = static_cast<std::int64_t>(*now);
  std::size_t at = 4;
  for (std::size_t n = 0; n < *alive; n++, at += 2)
    if (is_gateway(values[at]) && values[at + 1].size() <= max_record)
      out.alive.emplace_back(values[at], values[at + 1]);
  for (; at < values.size(); at += 2) {
    if (!is_gateway(values[at]))
      continue;
    auto &keys = out.dead.emplace_back(values[at], std::vector<std::string>()).second;
    if (values[at + 1].empty())
      continue;
    for (Fields fields(values[at + 1], ' '); !fields.ended();)
      if (const std::string_view key = fields.next(); is_key(key))
        keys.emplace_back(key);
  }
  return out;
}

Operation mine (std::string_view gateway, std::string_view after) {
  return {OperationKind::mine,
          {std::string(gateway), std::string(after), std::to_string(mine_most)}};
}

std::optional<Mine> read_mine (const Answer &answer) {
  if (!is_ok(answer, 1) || answer.values.size() % 3 != 1)
    return {};
  const auto &values = answer.values;
  if (!values[0].empty() && !is_key(values[0]))
    return {};
  Mine out{values[0], {}};
  for (std::size_t at = 1; at < values.size(); at += 3) {
    const auto uid = read_uid(values[at + 1]);
    const auto mid = parse_mid(values[at + 2]);
    if (uid && mid && is_key(values[at]))
      out.held.push_back({values[at], *uid, *mid});
  }
  return out;
}

Operation snapshot (std::string_view key) {
  return {OperationKind::snapshot, {std::string(key)}};
}

std::optional<Snapshot> read_snapshot (const Answer &answer) {
  if (!is_ok(answer, 1) || answer.values.size() % 2 != 1)
    return {};
  const auto version = parse_number(answer.values[0]);
  if (!version)
    return {};
  Snapshot out{*version, {}, 0};
  out.speakers.reserve(answer.values.size() / 2);
  for (std::size_t at = 1; at < answer.values.size(); at += 2) {
    const auto uid = read_uid(answer.values[at]);
    auto entry = parse_entry(answer.values[at + 1]);
    if (uid && entry)
      out.speakers.emplace_back(*uid, std::move(*entry));
    else
      out.refused++;
  }
  return out;
}

Operation members (std::string_view key) {
  return {OperationKind::members, {std::string(key)}};
}

std::optional<std::vector<std::pair<Uid, MemberRecord>>> read_members (const Answer &answer) {
  if (answer.verdict != Verdict::ok || answer.values.size() % 2)
    return {};
  std::vector<std::pair<Uid, MemberRecord>> out;
  for (std::size_t at = 0; at < answer.values.size(); at += 2) {
    const auto uid = read_uid(answer.values[at]);
    auto record = parse_record(answer.values[at + 1]);
    if (uid && record)
      out.emplace_back(*uid, std::move(*record));
  }
  return out;
}

Operation channels (std::string_view app_id, std::string_view after) {
  return {OperationKind::channels,
          {escape(app_id), std::string(after), std::to_string(channels_most)}};
}

std::optional<ChannelList> read_channels (const Answer &answer) {
  if (!is_ok(answer, 1) || answer.values.size() % 3 != 1)
    return {};
  const auto &values = answer.values;
  if (!values[0].empty() && !is_key(values[0]))
    return {};
  ChannelList out{values[0], {}};
  for (std::size_t at = 1; at < values.size(); at += 3) {
    const auto members = parse_number(values[at + 1]), broadcasters = parse_number(values[at + 2]);
    if (members && broadcasters && is_key(values[at]))
      out.channels.push_back({values[at], *members, *broadcasters});
  }
  return out;
}

Operation who_is (std::string_view key, Uid uid) {
  return {OperationKind::who_is, {std::string(key), std::to_string(uid)}};
}

std::optional<MemberRecord> read_who_is (const Answer &answer) {
  return is_ok(answer, 1) ? parse_record(answer.values[0]) : std::nullopt;
}

Operation rules_read () {
  return {OperationKind::rules_read, {}};
}

namespace {

std::optional<StoredRule> read_rule (std::string_view app, std::string_view id,
                                     std::string_view ends, std::string_view text) {
  auto app_id = unescape(app), words = unescape(text);
  const auto number = parse_number(id), ends_ms = parse_number(ends);
  if (!app_id || !words || !number || !*number || !ends_ms || app.size() > max_key ||
      text.size() > max_rule)
    return {};
  return {{std::move(*app_id), *number, static_cast<std::int64_t>(*ends_ms), std::move(*words)}};
}

}  // namespace

std::optional<RulesAnswer> read_rules (const Answer &answer) {
  if (!is_ok(answer, 1) || answer.values.size() % 4 != 1)
    return {};
  const auto &values = answer.values;
  auto version = read_version(values[0]);
  if (!version)
    return {};
  RulesAnswer out{std::move(*version), {}};
  for (std::size_t at = 1; at < values.size(); at += 4)
    if (auto rule = read_rule(values[at], values[at + 1], values[at + 2], values[at + 3]))
      out.rules.push_back(std::move(*rule));
  return out;
}

Operation rule_write (const StoredRule &rule) {
  return {OperationKind::rule_write,
          {escape(rule.app_id), std::to_string(rule.id), std::to_string(rule.ends_ms),
           escape(rule.text), std::to_string(most_rules)}};
}

std::optional<std::pair<std::string, std::uint64_t>> read_rule_write (const Answer &answer) {
  if (!is_ok(answer, 2))
    return {};
  auto version = read_version(answer.values[0]);
  const auto id = parse_number(answer.values[1]);
  if (!version || !id)
    return {};
  return {{std::move(*version), *id}};
}

Operation rules_restore (const std::vector<StoredRule> &rules) {
  Operation out{OperationKind::rules_restore, {}};
  out.args.reserve(4 * rules.size());
  for (const StoredRule &rule : rules) {
    out.args.push_back(escape(rule.app_id));
    out.args.push_back(std::to_string(rule.id));
    out.args.push_back(std::to_string(rule.ends_ms));
    out.args.push_back(escape(rule.text));
  }
  return out;
}

Operation rule_once (std::string_view app_id, std::string_view text) {
  return {OperationKind::rule_once, {escape(app_id), escape(text)}};
}

std::optional<SpeakerMessage> read_speaker_message (std::string_view text) {
  if (text.size() > max_record)
    return {};
  Fields fields(text, ' ');
  const auto previous = parse_number(fields.next()), version = parse_number(fields.next());
  const std::string_view what = fields.next();
  const auto uid = read_uid(fields.next());
  const std::string_view value = fields.next();
  if (!fields.exact() || !previous || !version || !uid || value.empty())
    return {};
  SpeakerMessage out{*previous, *version, *uid, {}, {}};
  if (what == "set") {
    out.entry = parse_entry(value);
    return out.entry ? std::optional(std::move(out)) : std::nullopt;
  }
  if (what != "del" || value.size() > max_stream)
    return {};
  out.stream = value;
  return out;
}

std::optional<MemberMessage> read_member_message (std::string_view text) {
  if (text.size() > max_record)
    return {};
  Fields fields(text, ' ');
  const std::string_view what = fields.next();
  const auto uid = read_uid(fields.next());
  const std::string_view rest = fields.next();
  if (!fields.exact() || !uid)
    return {};
  if (what == "out" && is_gateway(rest))
    return {{*uid, std::string(rest), {}}};
  auto record = what == "in" ? parse_record(rest) : std::nullopt;
  if (!record)
    return {};
  std::string gateway = record->gateway;
  return {{*uid, std::move(gateway), std::move(record)}};
}

std::optional<GoneMessage> read_gone_message (std::string_view text) {
  if (text.size() > max_record)
    return {};
  Fields fields(text, ' ');
  const std::string_view what = fields.next(), key = fields.next();
  const auto uid = read_uid(fields.next());
  const auto mid = parse_mid(fields.next());
  const auto adopted = read_flag(fields.next());
  const std::string_view gateway = fields.next();
  const auto at = parse_number(fields.next());
  if (!fields.exact() || what != "gone" || !is_key(key) || !uid || !mid || !adopted ||
      !is_gateway(gateway) || !at)
    return {};
  return {{std::string(key), *uid, *mid, *adopted, std::string(gateway),
           static_cast<std::int64_t>(*at)}};
}

std::optional<RuleMessage> read_rule_message (std::string_view text) {
  if (text.size() > max_rule + max_key)
    return {};
  Fields fields(text, ' ');
  const std::string_view what = fields.next();
  RuleMessage out;
  if (what == "once") {
    const std::string_view app = fields.next();
    auto rule = read_rule(app, "1", "0", fields.next());
    if (!fields.exact() || !rule)
      return {};
    out.kind = RuleMessage::Kind::once;
    out.rule = std::move(*rule);
    out.rule.id = 0;
    return out;
  }
  const auto version = read_version(fields.next());
  const std::string_view app = fields.next(), id = fields.next();
  std::optional<StoredRule> rule;
  if (what == "rule") {
    const std::string_view ends = fields.next();
    rule = read_rule(app, id, ends, fields.next());
  } else if (what == "lift") {
    out.kind = RuleMessage::Kind::lift;
    rule = read_rule(app, id, "0", "");
  }
  if (!fields.exact() || !version || !rule)
    return {};
  out.version = *version;
  out.rule = std::move(*rule);
  return out;
}

}  // namespace agora::gateway::cluster
