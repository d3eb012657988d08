// SPDX-License-Identifier: LGPL-2.1-or-later
// One gateway's part in a cluster, pure: what the store, the channel book and the clock tell goes
// in, what is to be done leaves by ClusterHost. It knows the claims of this gateway's members and
// the speakers of the others'; sockets and members are the channel book's. Not thread-safe: one
// loop owns it. One class, whose methods are spread over several files by what they are about:
//   cluster.cpp    claims and members
//   speakers.cpp   who speaks elsewhere: snapshots, messages, doubts
//   lease.cpp      the store comes and goes: lease, resync, purge, reaping, rules
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/gateway/cluster/record.hpp"

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
  std::string origin;         // of its relay: IP:port
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
  // release(). Adopted: its push may go on, and be relayed, until orphan_over(). Else its stream
  // goes at once; the others have been told, or are, by speaker_set and speaker_gone.
  virtual void taken (const std::string &key, Uid uid, MemberId mid, bool adopted) = 0;
  // The push of a member that was adopted elsewhere ends, and with it its stream, if no entry of
  // another gateway has come in its place.
  virtual void orphan_over (const std::string &key, Uid uid, MemberId mid) = 0;
  // A speaker of another gateway: a new one, one that goes on by another stream, or other mutes.
  virtual void speaker_set (const std::string &key, Uid uid, const SpeakerEntry &entry) = 0;
  virtual void speaker_gone (const std::string &key, Uid uid) = 0;
  // The channel has no member at any gateway any more, by release() of this gateway's last one.
  virtual void ended (const std::string &key) = 0;
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
  ~Cluster();
  Cluster(const Cluster &) = delete;
  Cluster &operator=(const Cluster &) = delete;

  // Once, before anything else: watches its own topics.
  void start (Moment now);

  // A member comes, or comes back. ClusterHost::claimed() follows in any case, inside this call
  // where the store is away.
  void claim (JoinId join, const ClaimRequest &request, Moment now);
  // It has left, or its grace is over. Of no member that is here (any more): nothing happens; so it
  // is for those below.
  void release (const std::string &key, Uid uid, MemberId mid, Moment now);
  // Another role, address or platform.
  void describe (const std::string &key, Uid uid, MemberId mid, const MemberRecord &who,
                 Moment now);
  // It is on the air here by this stream, new or as before with other mutes.
  void speak (const std::string &key, Uid uid, MemberId mid, const std::string &stream,
              bool audio_muted, bool video_muted, Moment now);
  // It isn't any more.
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
  // Of other gateways, in a channel with members here. Nothing: no such channel.
  const std::map<Uid, SpeakerEntry> *speakers (const std::string &key) const;
  // Those alive by the last lease, with their info; this one among them.
  const std::map<std::string, std::string> &gateways () const { return alive_; }
  const ClusterCounts &counts () const { return counts_; }

 private:
  bool up_ = false;
  std::map<std::string, std::string> alive_;
  ClusterCounts counts_;
};

}  // namespace agora::gateway::cluster
