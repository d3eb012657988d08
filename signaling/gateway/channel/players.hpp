// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Who plays by a play key: sessions of the media server that are no members, and hear one uid of
// one channel whenever it is on the air, or the mix of all. Plain book-keeping; what they hear is
// in play-keys.cpp.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "signaling/protocol/messages.hpp"

namespace agora::gateway {

class Players {
 public:
  // Whom they hear, by the channel's key and the uid; uid 0: the mix.
  struct Whom {
    std::string channel;
    protocol::Uid uid = 0;
    auto operator<=>(const Whom &) const = default;
  };
  struct Player {
    std::uint64_t key = 0;  // its number
    Whom whom;
    std::string stream;   // what it plays, or waits for
    std::string network;  // it comes from
    std::int64_t since_ms = 0;
  };

  void add (std::uint64_t client, Player player) {
    of_whom_[player.whom].insert(client);
    of_key_[player.key].insert(client);
    players_.insert_or_assign(client, std::move(player));
  }
  // Whose it was; nothing: it is none.
  std::optional<Player> remove (std::uint64_t client) {
    const auto found = players_.extract(client);
    if (found.empty())
      return {};
    erase(of_whom_, found.mapped().whom, client);
    erase(of_key_, found.mapped().key, client);
    return found.mapped();
  }
  Player *find (std::uint64_t client) {
    const auto found = players_.find(client);
    return found == players_.end() ? nullptr : &found->second;
  }
  const std::set<std::uint64_t> &of (const Whom &whom) const { return at(of_whom_, whom); }
  const std::set<std::uint64_t> &by (std::uint64_t key) const { return at(of_key_, key); }
  const std::unordered_map<std::uint64_t, Player> &all () const { return players_; }
  bool empty () const { return players_.empty(); }

 private:
  template <typename Map, typename Key>
  static void erase (Map &map, const Key &key, std::uint64_t client) {
    const auto found = map.find(key);
    found->second.erase(client);
    if (found->second.empty())
      map.erase(found);
  }
  template <typename Map, typename Key>
  static const std::set<std::uint64_t> &at (const Map &map, const Key &key) {
    static const std::set<std::uint64_t> none;
    const auto found = map.find(key);
    return found == map.end() ? none : found->second;
  }

  std::unordered_map<std::uint64_t, Player> players_;  // by the media server's session
  std::map<Whom, std::set<std::uint64_t>> of_whom_;
  std::map<std::uint64_t, std::set<std::uint64_t>> of_key_;
};

}  // namespace agora::gateway
