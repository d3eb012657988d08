// SPDX-License-Identifier: LGPL-2.1-or-later
// Which server is the master, by Redis' sentinels: asks them in turn, and goes on listening to the
// one that knew. Main loop only.
#pragma once

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
  void stop ();

 private:
  void begin ();
  void ask ();
  void send_question ();
  void asked (RedisReply &&reply);
  void switched (std::string_view message);
  void next (const std::string &reason);
  void closed (unsigned link, const std::string &reason);

  const RedisUrl url_;
  const RedisTls tls_;
  const Callbacks callbacks_;
  std::size_t current_ = 0;             // of url_.servers
  std::size_t tried_ = 0;               // of them, in this round
  bool finding_ = false;                // somebody waits for the answer
  bool with_password_ = false;          // this sentinel has asked for one
  std::string reasons_;                 // of all that were tried
  unsigned link_ = 0;                   // number of the connection in asking_
  std::shared_ptr<RedisLink> asking_;   // null: not now
  std::shared_ptr<RedisLink> hearing_;  // tells when the master is another one
  Timer again_;
};

}  // namespace agora::gateway::cluster
