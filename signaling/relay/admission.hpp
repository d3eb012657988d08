// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Who may connect. All connections are bounded, those of one address are, and so are the strangers
// among both (connections that aren't admitted to a push or play yet). Where a bound is reached,
// the stranger that has been there longest makes room, so that nobody can close the door for others
// by connections that do nothing. Pure: time is an argument.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <unordered_map>

namespace agora::relay {

// Whose a connection counts as: an IPv4 address; of IPv6 the /64.
struct Network {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Network &) const = default;
};

class Admission {
 public:
  struct Limits {
    std::size_t connections = 16384;
    std::size_t strangers = 4096;
    std::size_t of_one = 4096;
    std::size_t strangers_of_one = 256;
    std::int64_t opening_ms = 10'000;
  };
  // A connection's place. Kept by it, from come() to go().
  enum class State : std::uint8_t { away, stranger, asking, admitted };
  struct Place {
    Network network;
    State state = State::away;
    std::int64_t since = 0;
    void *owner = nullptr;
    std::list<Place *>::iterator at;  // among those of its state, the oldest first
  };
  enum class Verdict { welcome, welcome_for, refused };
  struct Come {
    Verdict verdict = Verdict::welcome;
    Place *instead = nullptr;  // of welcome_for: end this one first
    bool of_address = false;   // the bound that was reached is that of one address
  };

  void set_limits (const Limits &limits) { limits_ = limits; }
  const Limits &limits () const { return limits_; }

  // Whether a new connection of this network may come.
  Come ask (const Network &network) const;
  void come (Place &place, const Network &network, std::int64_t now);
  // The gateway was asked: it makes room for nobody until that answers, which it does soon.
  void asks (Place &place, std::int64_t now);
  void admitted (Place &place);
  // It was refused, or neither pushes nor plays any longer.
  void idle (Place &place, std::int64_t now);
  void go (Place &place);

  // One that isn't admitted and whose time is over, or null. To be asked again after it went.
  Place *overdue (std::int64_t now) const;

  std::size_t connections () const { return connections_; }
  std::size_t strangers () const { return strangers_.size(); }
  std::size_t asking () const { return asking_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const Network &network) const;
  };
  void become (Place &place, State state, std::int64_t now);

  Limits limits_;
  std::size_t connections_ = 0;
  std::list<Place *> strangers_;
  std::list<Place *> asking_;
  struct Count {
    std::size_t all = 0;
    std::size_t strangers = 0;
  };
  std::unordered_map<Network, Count, Hash> of_;
};

}  // namespace agora::relay
