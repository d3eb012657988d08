// SPDX-License-Identifier: LGPL-2.1-or-later
// A channel book in miniature, around a Cluster: sockets, members with their grace, streams with
// their hold, and what the sockets of a channel are told of its speakers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/cluster.hpp"

namespace sim {

using namespace agora::gateway::cluster;

struct Client;
class Gateway;

struct Socket {
  JoinId id = 0;
  Client *client = nullptr;
  Gateway *gateway = nullptr;
  bool open = true;  // at the client
  bool here = true;  // at the gateway
  bool pending = false;
  bool adopt = false;
  std::string key;
  std::vector<Uid> known;
  Uid uid = 0;  // as a member
  bool member = false;
  std::int64_t told_us = 0;
};

struct Told {
  enum class What { joined, refused, replaced, added, moved, removed } what = What::joined;
  Uid uid = 0;
  Verdict verdict = Verdict::ok;
};

class BookPorts {
 public:
  virtual ~BookPorts() = default;
  virtual void ask (Ticket ticket, Operation operation) = 0;
  virtual void watch (const std::string &topic) = 0;
  virtual void unwatch (const std::string &topic) = 0;
  virtual void tell (Socket &socket, const Told &told) = 0;
  virtual void drop (Socket &socket) = 0;
  virtual std::uint64_t random () = 0;
};

class Book final : public ClusterHost {
 public:
  Book(ClusterSettings settings, BookPorts &ports);

  void start (Moment now);
  void join (Socket &socket, Uid uid, bool adopt, std::vector<Uid> known, Moment now,
             const std::string &account = "");
  void disconnected (Socket &socket, Moment now);
  void leave (Socket &socket, Moment now);
  bool push (Socket &socket, const std::string &stream, Moment now);
  void push_ended (const std::string &stream, Moment now);
  void unpublish (Socket &socket, Moment now);
  void tick (Moment now);

  Cluster cluster;
  // For its inputs.
  Cluster &at (Moment now) {
    now_ = now;
    return cluster;
  }

  struct Member {
    MemberId mid = 0;
    Socket *socket = nullptr;
    std::string stream;
    std::int64_t hold_until_ms = 0;
    std::int64_t grace_until_ms = 0;
  };
  using Place = std::pair<std::string, Uid>;  // channel, uid
  const std::map<Place, Member> &members () const { return members_; }
  const std::map<Place, std::string> &orphans () const { return orphans_; }
  // What a member of the channel hears here.
  std::map<Uid, std::string> heard (const std::string &key) const;
  std::vector<StoredRule> known_rules;
  std::set<JoinId> forbidden;
  std::vector<std::string> once;
  std::vector<std::string> oddities;
  std::vector<std::pair<Ticket, Answer>> answers;
  std::vector<Claimed> claims;
  std::size_t ended_channels = 0;
  std::size_t reaped_speakers = 0;
  std::size_t reaped_members = 0;

 private:
  void ask (Ticket ticket, Operation operation) override;
  void watch (const std::string &topic) override { ports_.watch(topic); }
  void unwatch (const std::string &topic) override { ports_.unwatch(topic); }
  void claimed (JoinId join, const Claimed &claimed) override;
  void taken (const std::string &key, Uid uid, MemberId mid, bool adopted) override;
  void orphan_over (const std::string &key, Uid uid, MemberId mid) override;
  void speaker_set (const std::string &key, Uid uid, const SpeakerEntry &entry) override;
  void speaker_gone (const std::string &key, Uid uid) override;
  void ended (const std::string &) override { ended_channels++; }
  void cut_off (const std::string &,
                const std::vector<std::pair<Uid, MemberRecord>> &speakers) override {
    reaped_speakers += speakers.size();
  }
  void reaped (const std::string &, const std::vector<std::pair<Uid, MemberRecord>> &members,
               bool) override {
    reaped_members += members.size();
  }
  std::vector<Uid> candidates (JoinId join) override;
  std::uint64_t random () override { return ports_.random(); }
  void rules (const std::vector<StoredRule> &rules) override { known_rules = rules; }
  void rule_once (const std::string &app_id, const std::string &text) override {
    once.push_back(app_id + ' ' + text);
  }
  bool allows (JoinId join) override { return !forbidden.contains(join); }
  void answered (Ticket ticket, const Answer &answer) override {
    answers.emplace_back(ticket, answer);
  }
  void odd (const std::string &what) override { oddities.push_back(what); }

  const std::string *stream_of (const std::string &key, Uid uid) const;
  // Tells the channel's sockets what has become of that speaker.
  void refresh (const std::string &key, Uid uid);
  void replaced (Member &member);
  void remove (std::map<Place, Member>::iterator member);
  void forget_if_empty (const std::string &key);

  BookPorts &ports_;
  Moment now_;
  std::map<JoinId, Socket *> joins_;
  std::map<Place, Member> members_;
  std::map<Place, std::string> orphans_;
  std::map<std::string, std::map<Uid, std::string>> told_;  // uid -> stream
};

}  // namespace sim
