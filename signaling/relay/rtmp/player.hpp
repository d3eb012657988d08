// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The player's side of one RTMP connection, for one play: bytes of the server in; media, and bytes
// for the server, out. The server is trusted as little as a stranger is. Pure: no socket, no clock.
// One thread. docs/relay.md has its states as a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

// What is to be played.
struct Target {
  std::string url;  // tcUrl: rtmp://HOST:PORT/APP
  std::string app;
  std::string name;  // with "?…", if there are arguments
};

class Player {
 public:
  // Called from within feed().
  class Events {
   public:
    // The play is accepted. It may be long before there is a push.
    virtual void on_playing () = 0;
    // A push begins or ends. Neither need come before media, or once only.
    virtual void on_begin () = 0;
    virtual void on_end () = 0;
    // The payload is valid until it returns. Data is readable AMF0, no deeper than 8, and what is
    // meant for this player alone is left out. Aggregates come as their parts.
    virtual void on_media (const MediaMessage &message) = 0;

   protected:
    ~Events() = default;
  };

  // `limits` has to outlive it. `seed` varies what the handshake calls random; `ms` is the time of
  // its begin, for the server's own use. take_output() has the first words already.
  Player(const Limits &limits, Target target, std::uint64_t seed = 0, std::uint32_t ms = 0);
  ~Player();
  Player(const Player &) = delete;
  Player &operator=(const Player &) = delete;

  // Bytes of the server, in any pieces. False: it refused, ended the play, or broke a rule:
  // reason() says which; close the connection.
  bool feed (Bytes bytes, Events &events);
  // In plain English, for the log; holds nothing that the server wrote.
  const std::string &reason () const;

  // Bytes for the server. To be called after each feed() and ping().
  std::string take_output ();
  bool has_output () const;
  // PingRequest, which a server answers; once it plays.
  void ping (std::uint32_t ms);

  bool playing () const;
  // Memory beside the object itself, for limits and tests.
  std::size_t held_memory () const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agora::relay::rtmp
