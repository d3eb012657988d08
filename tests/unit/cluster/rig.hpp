// SPDX-License-Identifier: LGPL-2.1-or-later
// Gateways and a store whose every step a test takes by hand.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/directory.hpp"
#include "tests/unit/cluster/book.hpp"

namespace sim {

class Rig;

class Station final : public BookPorts {
 public:
  Station(Rig &rig, std::string name, unsigned max_members, unsigned max_channels);

  // A new socket, and what it was told: "joined 5, added 7".
  Socket &open (const std::string &key = "a/room");
  Socket &join (Uid uid, bool adopt = false, std::vector<Uid> known = {},
                const std::string &account = "", const std::string &key = "a/room");
  std::string told (const Socket &socket);  // since it was asked last
  bool push (Socket &socket, const std::string &stream);
  std::string heard (const std::string &key = "a/room") const;  // "5 st1, 7 st2"

  void down ();
  void up ();
  // What waits to be done by the store, to be answered, and to be heard.
  void execute ();
  void answer ();
  void listen ();

  Rig &rig;
  const std::string name;
  bool linked = false;
  bool dead = false;
  bool holds_asks = false;
  bool holds_answers = false;
  bool holds_messages = false;
  std::deque<std::pair<Ticket, Operation>> asks;
  std::deque<std::pair<Ticket, Answer>> answers;
  std::deque<std::pair<std::string, std::string>> messages;  // message "": subscribed
  std::set<std::string> wanted;
  std::set<std::string> topics;
  Book book;

  void ask (Ticket ticket, Operation operation) override;
  void watch (const std::string &topic) override;
  void unwatch (const std::string &topic) override;
  void tell (Socket &socket, const Told &told) override;
  void drop (Socket &socket) override;
  std::uint64_t random () override;

 private:
  std::map<JoinId, std::string> told_;
};

class Rig {
 public:
  Station &add (const std::string &name, unsigned max_members = 0, unsigned max_channels = 0);
  Moment now () const { return {now_ms_, wall_ms_}; }
  Answer apply (const Operation &operation);
  // Until nobody has anything to do that isn't held back.
  void settle ();
  // With ticks.
  void pass (std::int64_t ms);
  // One record's parts.
  std::string owner (Uid uid, const std::string &key = "a/room") const;
  std::string entry (Uid uid, const std::string &key = "a/room") const;

  Directory directory;
  std::deque<std::unique_ptr<Station>> stations;
  std::deque<Socket> sockets;
  std::uint64_t randoms = 0;

 private:
  static constexpr std::int64_t wall_from_ms = 1'764'000'000'000;
  std::int64_t now_ms_ = 1'000;
  std::int64_t wall_ms_ = wall_from_ms;
};

}  // namespace sim
