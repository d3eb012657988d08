// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the gateways of a cluster ask of their store, as plain values: a kind, and texts in the
// order in which the store's script takes them. Every operation is atomic. Pure: no sockets.
//
// The store holds, per channel KEY (record.hpp), with APP as its first part:
//   ag:{KEY}:m     uid -> record of the member (MemberRecord)
//   ag:{KEY}:s     uid -> entry of the speaker (SpeakerEntry); "v" -> version of the last change
//   ag:{KEY}:a     account (escaped) -> uid
//   ag:{KEY}:b     uids of the broadcasters
//   ag:{KEY}:g:GW  uids of the members of gateway GW
//   ag:app:APP     keys of the channels that have a member
//   ag:gw:GW       lease of the gateway, expires; its value is the gateway's `info`
//   ag:gws         gateway -> info, of all that have a lease or have left members behind
//   ag:gw:GW:c     keys of the channels in which the gateway has members
//   ag:v           the last version that any channel got; the first one is the time in ms
//   ag:rules       APP/ID -> ENDS_MS|TEXT, ag:rules:id the last id, ag:rules:v their version: the
//                  first one is the time in ms, none is "0"
// and publishes, fields apart by one space:
//   ag:KEY         PV V set UID ENTRY | PV V del UID STREAM   PV: the channel's version before V
//   ag:m:KEY       in UID RECORD | out UID GW                 of a list: it is in it, as `members`
//                  has it, or by another record than before; or it isn't any more
//   ag:in:GW       gone KEY UID MID ADOPT NEWGW AT            the member is another gateway's now
//   ag:rules       rule V APP ID ENDS_MS TEXT | lift V APP ID | once APP TEXT
//
// AT, and every other time, is the store's clock in whole milliseconds; it grows with each claim of
// one uid. Where a member or a speaker's entry goes, its `:g:GW`, `:a` and `ag:gw:GW:c` go with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/record.hpp"

namespace agora::gateway::cluster {

// `args` of each, and `values` of its answer `ok` (other verdicts have none, if not said). Numbers
// are decimal, flags "0" or "1". Lists have no order unless it is said.
enum class OperationKind {
  // key app uid account gw mid adopt rest max-members max-channels rules-v candidates
  //   uid "0": the account's, else the first candidate (apart by commas) that is free. rest: the
  //   record after AT. Limits "0": none. The newer claim of a uid wins. An older member of the same
  //   account is adopted where that is asked for: it keeps its mid and its speaker's entry.
  // -> uid mid at older-record|"" created adopted
  // rules -> v: decided by other rules than the store has; again: no candidate is free; full;
  // too_many_channels.
  claim,
  // key app uid gw mid at speaks rest: what the gateway has, after it lost touch with the store.
  //   The larger AT wins, then the larger name of the gateway. An entry of the loser's goes, unless
  //   the winner speaks, and so replaces it at once, or has its mid; its ADOPT is 1 then. The same
  //   member's own newer AT stays.
  // -> created; lost
  assert_member,
  // key app uid gw mid -> ended (the channel has no member any more); lost: not that gateway's
  release,
  // key uid gw mid entry -> nothing; lost: not that gateway's member
  speak,
  // key uid stream -> nothing; lost: that uid doesn't speak by this stream
  hush,
  // key gw most: at most so many entries of a gateway without a lease -> more n, then uid and
  // record of each, "" where its member has gone; alive
  reap_speakers,
  // key app gw most -> more ended, then uid record of each; alive
  reap_members,
  // gw info ttl-ms most: renews the lease -> kept|new rules-v now-ms n, then n times (gw info) of
  //   those alive, then (gw keys) of each without a lease: at most `most` keys, apart by spaces,
  //   sorted. Those without a key are forgotten, and not told.
  lease,
  // gw after most: members that the store has of this gateway, whole channels from the first key
  //   above `after` on, until there are `most` -> last key, or "" at the end, then (key uid mid)
  mine,
  // key -> version ("0": none), then (uid entry) of each
  snapshot,
  // key -> (uid record) of each; of each record mutes and hears are "": a large channel must fit
  // into
  // one answer
  members,
  // app after most -> last key, or "" at the end, then (key members broadcasters), sorted by key
  channels,
  // key uid -> record; lost: there is none
  who_is,
  // -> version, then (app id ends-ms text) of each
  rules_read,
  // app id ends-ms text most: id "0" makes one, of `text` "" goes. Those that have ended are
  // deleted
  //   on the way. -> version id; lost: no such id; full: as many as `most`
  rule_write,
  // n-times (app id ends-ms text): after the store lost its rules. -> version; lost: it has some
  rules_restore,
  // app text: what isn't kept, for every gateway at once -> nothing
  rule_once,
  // key uid gw mid message: published under the channel's topic -> nothing; lost: not that
  // gateway's member
  say,
};
inline constexpr std::size_t operation_kinds = 18;
std::string_view to_string (OperationKind kind);

struct Operation {
  OperationKind kind = OperationKind::lease;
  std::vector<std::string> args;
  bool operator==(const Operation &) const = default;
};

// The first text of a script's reply, by these names; `away`: the store didn't answer.
enum class Verdict { away, ok, again, rules, full, too_many_channels, lost, alive };
std::string_view to_string (Verdict verdict);

struct Answer {
  Verdict verdict = Verdict::away;
  std::vector<std::string> values;
  bool operator==(const Answer &) const = default;
};
// Of a script's reply, which may be anything: what is no answer is `away`.
Answer answer_of (std::vector<std::string> reply);

// The topics that are no channel's.
inline constexpr std::string_view rules_topic = "ag:rules";
std::string inbox_topic (std::string_view gateway);
std::string channel_topic (std::string_view key);
inline constexpr std::string_view members_prefix = "ag:m:";
std::string members_topic (std::string_view key);

struct Claim {
  std::string key;
  Uid uid = 0;
  bool adopt = false;
  MemberRecord who;  // at_ms counts for nothing
  unsigned max_members = 0;
  unsigned max_channels = 0;
  std::string rules_version;
  std::vector<Uid> candidates;
};
Operation claim (const Claim &claim);
struct ClaimAnswer {
  Uid uid = 0;
  MemberId mid = 0;
  std::int64_t at_ms = 0;
  std::optional<MemberRecord> older;
  bool created = false;
  bool adopted = false;
};
// These and those below: nothing when the answer isn't what the operation gives.
std::optional<ClaimAnswer> read_claim (const Answer &answer);

Operation assert_member (std::string_view key, Uid uid, const MemberRecord &who, bool speaks);
Operation release (std::string_view key, Uid uid, std::string_view gateway, MemberId mid);
Operation speak (std::string_view key, Uid uid, MemberId mid, const SpeakerEntry &entry);
Operation hush (std::string_view key, Uid uid, std::string_view stream);

// What a member says to others, as it is published.
struct SaidMessage {
  std::string gateway;  // that it is at
  Uid uid = 0;
  protocol::Data data;
};
Operation say (std::string_view key, Uid uid, MemberId mid, const SaidMessage &message);
std::optional<SaidMessage> read_said_message (std::string_view text);

inline constexpr std::size_t reap_most = 500;
Operation reap_speakers (std::string_view key, std::string_view gateway);
Operation reap_members (std::string_view key, std::string_view gateway);
struct Reaped {
  bool more = false;
  bool ended = false;
  std::vector<std::pair<Uid, MemberRecord>> members;  // of speakers: whose they were
};
std::optional<Reaped> read_reaped (OperationKind kind, const Answer &answer);

inline constexpr std::size_t lease_most = 200;
Operation lease (std::string_view gateway, std::string_view info, std::int64_t ttl_ms);
struct LeaseAnswer {
  bool kept = false;
  std::string rules_version;
  std::int64_t now_ms = 0;
  std::vector<std::pair<std::string, std::string>> alive;              // gateway, info
  std::vector<std::pair<std::string, std::vector<std::string>>> dead;  // gateway, keys
};
std::optional<LeaseAnswer> read_lease (const Answer &answer);

inline constexpr std::size_t mine_most = 500;
Operation mine (std::string_view gateway, std::string_view after);
struct Mine {
  struct Held {
    std::string key;
    Uid uid = 0;
    MemberId mid = 0;
  };
  std::string next;  // "": that was all
  std::vector<Held> held;
};
std::optional<Mine> read_mine (const Answer &answer);

Operation snapshot (std::string_view key);
struct Snapshot {
  std::uint64_t version = 0;
  std::vector<std::pair<Uid, SpeakerEntry>> speakers;
  std::size_t refused = 0;  // entries that are none
};
std::optional<Snapshot> read_snapshot (const Answer &answer);

Operation members (std::string_view key);
std::optional<std::vector<std::pair<Uid, MemberRecord>>> read_members (const Answer &answer);

inline constexpr std::size_t channels_most = 100;
Operation channels (std::string_view app_id, std::string_view after);
struct ChannelList {
  struct Each {
    std::string key;
    std::size_t members = 0;
    std::size_t broadcasters = 0;
  };
  std::string next;  // "": that was all
  std::vector<Each> channels;
};
std::optional<ChannelList> read_channels (const Answer &answer);

Operation who_is (std::string_view key, Uid uid);
std::optional<MemberRecord> read_who_is (const Answer &answer);

// A rule of the operator's, as the store has it. The text is the channel book's.
struct StoredRule {
  std::string app_id;
  std::uint64_t id = 0;
  std::int64_t ends_ms = 0;
  std::string text;
  bool operator==(const StoredRule &) const = default;
};
inline constexpr std::size_t most_rules = 10'000;
// In place of ends_ms: when it ends stays as it is.
inline constexpr std::int64_t same_end = 0;
Operation rules_read ();
struct RulesAnswer {
  std::string version;
  std::vector<StoredRule> rules;
};
std::optional<RulesAnswer> read_rules (const Answer &answer);
Operation rule_write (const StoredRule &rule);
std::optional<std::pair<std::string, std::uint64_t>> read_rule_write (const Answer &answer);
Operation rules_restore (const std::vector<StoredRule> &rules);
Operation rule_once (std::string_view app_id, std::string_view text);

// What is published; nothing: it is no such message.
struct SpeakerMessage {
  std::uint64_t previous = 0;
  std::uint64_t version = 0;
  Uid uid = 0;
  std::optional<SpeakerEntry> entry;  // nothing: gone
  std::string stream;
};
std::optional<SpeakerMessage> read_speaker_message (std::string_view text);
struct MemberMessage {
  Uid uid = 0;
  std::string gateway;              // that it is at, or was
  std::optional<MemberRecord> who;  // nothing: gone
};
std::optional<MemberMessage> read_member_message (std::string_view text);
struct GoneMessage {
  std::string key;
  Uid uid = 0;
  MemberId mid = 0;
  bool adopted = false;
  std::string gateway;
  std::int64_t at_ms = 0;
};
std::optional<GoneMessage> read_gone_message (std::string_view text);
struct RuleMessage {
  enum class Kind { rule, lift, once } kind = Kind::rule;
  std::string version;
  StoredRule rule;  // of lift app_id and id, of once app_id and text only
};
std::optional<RuleMessage> read_rule_message (std::string_view text);

}  // namespace agora::gateway::cluster
