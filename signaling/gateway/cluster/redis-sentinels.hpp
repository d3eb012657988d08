// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which server is the master, by Redis' sentinels: asks them in turn, and goes on listening to
// those that knew one. Main loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "signaling/gateway/cluster/redis-link.hpp"
#include "signaling/gateway/cluster/redis-url.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway::cluster {

class RedisSentinels {
 public:
  struct Callbacks {
    // The answer to find(); also unasked, where a sentinel tells of another master.
    std::function<void(const RedisAddress &master)> found;
    // To find(): none knows.
    std::function<void(const std::string &reason)> nobody;
  };
  RedisSentinels(RedisUrl url, RedisTls tls, Callbacks callbacks);

  // Not from inside a callback of this class. The answer comes once.
  void find ();
  // The server that was named is away, or no master: find() begins with another sentinel, as one
  // that is cut off goes on naming what it knew.
  void doubt ();
  void stop ();

 private:
  void begin ();
  void ask ();
  void send_question ();
  void authenticate (bool by_user);
  void asked (RedisReply &&reply);
  bool in_doubt (const RedisAddress &master);
  void tell (const RedisAddress &master);
  void switched (std::string_view message);
  void next (const std::string &reason);
  void closed (std::size_t sentinel, unsigned link, const std::string &reason);

  const RedisUrl url_;
  const RedisTls tls_;
  const Callbacks callbacks_;
  std::size_t current_ = 0;     // of url_.servers
  std::size_t tried_ = 0;       // of them, in this round
  bool finding_ = false;        // somebody waits for the answer
  bool with_password_ = false;  // this sentinel has asked for one
  std::string reasons_;         // of all that were tried
  RedisAddress told_;           // by found()
  RedisAddress other_;          // that was named since, unasked, and isn't told yet
  std::int64_t other_since_us_ = 0;
  unsigned link_ = 0;                  // number of the connection in asking_
  std::shared_ptr<RedisLink> asking_;  // null: not now
  // Of url_.servers, each that has named a master: tells when it is another one.
  std::vector<std::shared_ptr<RedisLink>> hearing_;
  Timer again_;
};

}  // namespace agora::gateway::cluster
