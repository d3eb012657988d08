// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One gateway's part in a cluster, pure: what the store, the channel book and the clock tell goes
// in, what is to be done leaves by ClusterHost. It knows the claims of this gateway's members and
// the speakers of the others'; sockets and members are the channel book's. Not thread-safe: one
// loop owns it. One class, whose methods are spread over several files by what they are about:
//   cluster.cpp    inputs, channels, deadlines
//   claims.cpp     a uid is claimed
//   members.cpp    members of this gateway, until another has them
//   speakers.cpp   who speaks elsewhere: snapshots, messages, doubts
//   lease.cpp      the store comes and goes: lease, resync, purge, reaping, rules
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/gateway/cluster/record.hpp"
#include "signaling/support/timer-queue.hpp"

namespace agora::gateway::cluster {

using Ticket = std::uint64_t;  // of one operation; never used twice
using JoinId = std::uint64_t;  // the channel book's: the socket that joins

// Both clocks of one moment: the monotonic one drives timers; the wall clock stands in for the
// store's until that is known.
struct Moment {
  std::int64_t mono_ms = 0;
  std::int64_t wall_ms = 0;
};

struct ClusterTimes {
  std::int64_t lease_ms = 4'000;   // a gateway that doesn't renew it within this time is gone
  std::int64_t renew_ms = 1'000;   //
  std::int64_t hold_ms = 3'000;    // after that its speakers stay for this long
  std::int64_t grace_ms = 10'000;  // and its members for this long
  std::int64_t orphan_ms = 3'000;  // the push of a member that went elsewhere
  std::int64_t doubt_ms = 5'000;   // a speaker that the store lacks after an outage
};

struct ClusterSettings {
  std::string gateway;        // is_gateway(); another one at each start
  std::string origin;         // of its relay: IP:port or rtmps://[name@]IP:port
  std::string info;           // what others read by gateways(): the channel book's own text
  unsigned max_members = 0;   // of a channel; 0: no limit
  unsigned max_channels = 0;  // of an app
  ClusterTimes times;
};

struct ClaimRequest {
  std::string key;
  Uid uid = 0;  // 0: the account's, or one of ClusterHost::candidates()
  bool adopt = false;
  // Its role, account, platform, address and joined_s.
  MemberRecord who;
};

struct Claimed {
  // ok; full; too_many_channels; rules: ClusterHost::allows() said no; lost: a newer member has the
  // uid already, so this one is replaced before it was in.
  Verdict verdict = Verdict::ok;
  Uid uid = 0;
  MemberId mid = 0;
  // The member with the uid before this one goes on under another socket: its mid and its streams
  // are kept. If it was this gateway's, the channel book has it; else the mid is new here.
  bool adopted = false;
  // Who had the uid before, wherever that was, with its mid. Nothing: nobody, or nobody knows.
  std::optional<MemberRecord> older;
  bool created = false;   // the channel begins with this member, over all gateways
  bool by_store = false;  // false: the store is away, and only this gateway knows so far
};

// What the cluster asks for. No call may call the Cluster back, but for ask() by way of a later
// stored(); each may be made from inside any input, claim() included.
class ClusterHost {
 public:
  virtual ~ClusterHost() = default;
  // The store's answer comes by stored(), also when it didn't answer: Verdict::away. Operations
  // reach the store in the order of these calls.
  virtual void ask (Ticket ticket, Operation operation) = 0;
  // Each time the store has confirmed it, subscribed() is told, after each store_up() anew.
  virtual void watch (const std::string &topic) = 0;
  virtual void unwatch (const std::string &topic) = 0;

  // What became of claim(): enter, or refuse. The channel's speakers() are known by then, unless
  // the store is away. The socket may have closed meanwhile; the member is there all the same, in
  // its grace. A local member with the uid and another mid goes, without release().
  virtual void claimed (JoinId join, const Claimed &claimed) = 0;
  // Another gateway has the member now: its socket is told "replaced" and closed, without
  // release(). Adopted: what it plays goes on for a moment, and its stream, which is relayed, until
  // speaker_set() puts another in its place, or orphan_over() ends it. Else all goes at once.
  virtual void taken (const std::string &key, Uid uid, MemberId mid, bool adopted) = 0;
  // The push of a member that was adopted elsewhere ends, and with it its stream, if no entry of
  // another gateway has come in its place.
  virtual void orphan_over (const std::string &key, Uid uid, MemberId mid) = 0;
  // A speaker of another gateway: a new one, one that goes on by another stream, or other mutes.
  // For a channel in which the channel book has no member (yet) it counts for nothing: the first
  // one's claimed() finds all in speakers().
  virtual void speaker_set (const std::string &key, Uid uid, const SpeakerEntry &entry) = 0;
  virtual void speaker_gone (const std::string &key, Uid uid) = 0;
  // Of a channel that the gateway follows: a member of another gateway is there, or by another
  // record than before; or it is there no more.
  virtual void member_set (const std::string &, Uid, const MemberRecord &) {}
  virtual void member_gone (const std::string &, Uid) {}
  // A member of another gateway says something.
  virtual void said (const std::string &, Uid, const protocol::Data &) {}
  // The channel has no member at any gateway any more, by release() of this gateway's last one.
  virtual void ended (const std::string &key) = 0;
  // Streams of a gateway that is gone, which this one was the first to end, and whose they were.
  virtual void cut_off (const std::string &key,
                        const std::vector<std::pair<Uid, MemberRecord>> &speakers) = 0;
  // Members of a gateway that is gone, which this one was the first to count out.
  virtual void reaped (const std::string &key,
                       const std::vector<std::pair<Uid, MemberRecord>> &members, bool ended) = 0;
  // Uids for a member that named none: random ones, or its account's and those after it.
  virtual std::vector<Uid> candidates (JoinId join) = 0;
  virtual std::uint64_t random () = 0;

  // All rules of the operator's, in place of what was known; then of each claim that waited for
  // them, whether it may still go on.
  virtual void rules (const std::vector<StoredRule> &rules) = 0;
  virtual void rule_once (const std::string &app_id, const std::string &text) = 0;
  virtual bool allows (JoinId join) = 0;
  // To an operation of query().
  virtual void answered (Ticket ticket, const Answer &answer) = 0;
  // What came from the store and can't be from a gateway: for the log. Not more than one a second.
  virtual void odd (const std::string &what) = 0;
};

struct ClusterCounts {
  std::uint64_t operations = 0;
  std::uint64_t resyncs = 0;       // told the store anew what is here
  std::uint64_t gaps = 0;          // messages that got lost
  std::uint64_t local_claims = 0;  // while the store was away
  std::uint64_t reaped = 0;        // members of other gateways
  std::uint64_t refused = 0;       // what odd() was about, counted in full
};

class Cluster {
 public:
  Cluster(ClusterSettings settings, ClusterHost &host);
  Cluster(const Cluster &) = delete;
  Cluster &operator=(const Cluster &) = delete;

  // Once, before anything else: watches its own topics.
  void start (Moment now);

  // A member comes, or comes back; a socket has one claim at a time. ClusterHost::claimed() follows
  // in any case, inside this call where the store is away.
  void claim (JoinId join, const ClaimRequest &request, Moment now);
  // It has left, or its grace is over. Of no member that is here (any more): nothing happens; so it
  // is for those below.
  void release (const std::string &key, Uid uid, MemberId mid, Moment now);
  // Another role, name, address or platform, other mutes or subscriptions. `paced`: one of very
  // many, few of which are on their way at a time.
  void describe (const std::string &key, Uid uid, MemberId mid, const MemberRecord &who, Moment now,
                 bool paced = false);
  // It is on the air here by these streams, new ones or as before with other mutes.
  void speak (const std::string &key, Uid uid, MemberId mid, const Spoken &what, Moment now);
  // It says a few words to members that may be elsewhere: those gateways' said() follows.
  void say (const std::string &key, Uid uid, MemberId mid, const protocol::Data &data, Moment now);
  // Whether to be told by member_set() and member_gone(), from the store's confirmation on, of the
  // members of a channel: not of those who are there already.
  void follow (const std::string &key, bool on, Moment now);
  // It isn't any more. `stream` is AAC's.
  void hush (const std::string &key, Uid uid, MemberId mid, const std::string &stream, Moment now);
  // For the operator: ClusterHost::answered() follows, not inside this call.
  Ticket query (Operation operation, Moment now);
  // What the others read of this gateway, from the next lease on: at once.
  void set_info (const std::string &info, Moment now);

  void stored (Ticket ticket, const Answer &answer, Moment now);
  void heard (std::string_view topic, std::string_view message, Moment now);
  void subscribed (std::string_view topic, Moment now);
  // The store answers. What was asked and not answered before has been answered with `away`.
  void store_up (Moment now);
  // Before the operations on their way are answered with `away`.
  void store_down (Moment now);

  // The moment, on the monotonic clock, when tick() has something to do; nothing: never.
  std::optional<std::int64_t> next_deadline () const;
  void tick (Moment now);

  bool away () const { return !up_; }
  // The clock that all gateways share, the store's: as it was last told, or while that is unknown
  // this machine's.
  std::int64_t shared_ms (Moment at) const {
    return store_ahead_ms_ ? at.mono_ms + *store_ahead_ms_ : at.wall_ms;
  }
  // Of other gateways, in a channel with members here. Nothing: no such channel.
  const std::map<Uid, SpeakerEntry> *speakers (const std::string &key) const;
  // Those alive by the last lease, with their info; this one among them.
  const std::map<std::string, std::string> &gateways () const { return alive_; }
  const ClusterCounts &counts () const { return counts_; }

 private:
  // A member of this gateway, or the push that one left here when it went to another.
  struct Local {
    MemberRecord who;
    bool orphan = false;
    std::string stream;  // AAC's; "": not on the air
    // SpeakerEntry's
    std::int64_t stream_at_ms = 0;
    std::uint64_t stream_n = 0;
    bool audio_muted = false;
    bool video_muted = false;
    std::uint64_t streams = 0;  // so many it has published
    bool spoke_again = false;   // since the store took its word last
    CodecStreams others;        // beside `stream`
    protocol::Addressees to;
    std::string name;
  };
  struct Channel {
    std::uint64_t id = 0;
    std::string key;
    std::map<Uid, Local> locals;
    std::size_t joining = 0;
    std::map<Uid, SpeakerEntry> remote;
    // Speakers that the store lacks, or has older ones of: when to look again. never: it is being
    // looked at.
    std::map<Uid, std::int64_t> doubts;
    std::uint64_t version = 0;
    bool watched = false;  // the store has confirmed it
    bool synced = false;   // `remote` is of `version`, and messages follow without a gap
    bool ever_synced = false;
    bool snapping = false;    // a snapshot is on its way
    bool snap_again = false;  // it was asked for too early
    bool overflowed = false;  // more messages than are kept
    std::vector<SpeakerMessage> waiting_messages;
    std::vector<JoinId> waiting_joins;  // claimed, and to be told after the snapshot
    // While somebody is joining: since when another gateway has the uid.
    std::map<Uid, std::int64_t> gone;
  };
  struct Join {
    ClaimRequest request;
    std::uint64_t channel = 0;
    MemberId mid = 0;
    unsigned tries = 0;
    bool claimed = false;  // by the store: `answer` is its
    ClaimAnswer answer;
  };
  // What an answer belongs to. The channel may be another one of that name by then.
  struct Pending {
    OperationKind kind = OperationKind::lease;
    std::uint64_t channel = 0;
    Uid uid = 0;
    MemberId mid = 0;
    std::int64_t at_ms = 0;
    JoinId join = 0;
    bool last = false;     // snapshot: what it lacks is gone, without a doubt
    bool recheck = false;  // snapshot: of doubts
    bool paced = false;    // assert_member: one of a resync
    bool query = false;
    std::string text;  // gateway, stream or key
  };
  struct Deadline {
    enum class Kind { lease, orphan, doubt, snapshot, purge, stray } kind = Kind::lease;
    std::uint64_t channel = 0;
    Uid uid = 0;
    auto operator<=>(const Deadline &) const = default;
  };

  // cluster.cpp
  Channel &open (const std::string &key);
  Channel *find (std::string_view key);
  Channel *find (std::uint64_t id);
  // Only a member that is here, and is this one.
  Local *find_local (Channel *channel, Uid uid, MemberId mid);
  void close_if_empty (Channel &channel);
  std::int64_t store_now () const;
  Ticket send (Operation operation, Pending asked);
  void odd (std::string_view what, std::string_view text);

  // claims.cpp
  void send_claim (JoinId id);
  void claim_answered (JoinId id, const Answer &answer);
  void claim_locally (JoinId id);
  void enter (JoinId id, bool by_store);
  void refuse (JoinId id, Verdict verdict);
  void joined (JoinId id, Channel &channel);

  // members.cpp
  void assert_local (Channel &channel, Uid uid, const Local &local, bool paced = false);
  void assert_answered (const Pending &asked, const Answer &answer);
  void heard_member (const std::string &key, std::string_view text);
  void send_speak (Channel &channel, Uid uid, const Local &local);
  void speak_answered (const Pending &asked, const Answer &answer);
  void lose (Channel &channel, Uid uid, bool goes_on, bool adopted);
  void end_orphan (Channel &channel, Uid uid);

  // speakers.cpp
  void snapshot (Channel &channel, bool last = false);
  void snapshot_answered (const Pending &asked, const Answer &answer);
  void release_waiting (Channel &channel);
  void heard_channel (Channel &channel, const SpeakerMessage &message, bool again);
  void heard_gone (const GoneMessage &message);
  void apply (Channel &channel, Uid uid, const SpeakerEntry &entry);
  void watch_stray (Channel &channel, Uid uid);
  void end_stray (Channel &channel, Uid uid);
  void set_speaker (Channel &channel, Uid uid, const SpeakerEntry &entry);
  void remove_speaker (Channel &channel, Uid uid);
  void doubt (Channel &channel, Uid uid);
  void watch_doubts (Channel &channel);
  void recheck (Channel &channel);
  void rechecked (Channel &channel, const Answer &answer);

  // lease.cpp
  void renew ();
  void leased (const Answer &answer);
  void look_at_the_dead (const LeaseAnswer &answer);
  void reap (const std::string &gateway, const std::string &key, bool members);
  void reap_answered (const Pending &asked, const Answer &answer);
  void resync ();
  void pace ();
  void purge (std::string_view after = "");
  void purge_answered (const Pending &asked, const Answer &answer);
  void read_rules ();
  void rules_answered (const Answer &answer);
  void give_up_rules ();
  void heard_rule (const RuleMessage &message);
  void tell_rules ();

  ClusterSettings settings_;
  ClusterHost &host_;
  Moment now_;  // of the call
  bool up_ = false;
  std::int64_t up_since_ms_ = 0;
  bool had_lease_ = false;                      // in this connection
  std::optional<std::int64_t> store_ahead_ms_;  // of the monotonic clock here
  std::uint64_t last_id_ = 0;                   // of channels and tickets
  std::unordered_map<std::string, std::unique_ptr<Channel>> channels_;
  std::unordered_map<std::uint64_t, Channel *> by_id_;
  std::unordered_set<std::string> followed_;
  std::unordered_map<JoinId, Join> joins_;
  std::unordered_map<Ticket, Pending> pending_;
  TimerQueue<Deadline> deadlines_;
  std::map<std::string, std::string> alive_;
  std::map<std::string, std::int64_t, std::less<>> dead_since_ms_;
  // Members to be told to the store anew, and how many such are on their way: the store's other
  // operations wait behind few.
  std::deque<std::pair<std::uint64_t, Uid>> to_assert_;
  std::size_t asserting_ = 0;
  std::string rules_version_ = "0";
  std::map<std::pair<std::string, std::uint64_t>, StoredRule> rules_;
  bool reading_rules_ = false;
  bool restored_rules_ = false;  // once for each connection
  std::uint64_t rules_heard_ = 0;
  std::vector<JoinId> joins_awaiting_rules_;
  ClusterCounts counts_;
  std::int64_t odd_at_ms_ = std::numeric_limits<std::int64_t>::min();
};

}  // namespace agora::gateway::cluster
