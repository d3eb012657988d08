// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The store in Redis: two connections, one for operations and one that hears topics, which come and
// go together. Operations are scripts, sent at once and answered in order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "signaling/gateway/cluster/redis-link.hpp"
#include "signaling/gateway/cluster/redis-sentinels.hpp"
#include "signaling/gateway/cluster/redis-url.hpp"
#include "signaling/gateway/cluster/store.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway::cluster {

class RedisStore final : public Store {
 public:
  RedisStore(RedisUrl url, RedisTls tls);
  ~RedisStore() override;

  void start (Callbacks callbacks) override;
  void ask (Ticket ticket, Operation operation) override;
  void hurry () override;
  void subscribe (const std::string &topic) override;
  void unsubscribe (const std::string &topic) override;
  void stop () override;
  StoreStatus status () const override;

 private:
  void try_again ();
  void connect (const RedisAddress &server);
  std::function<void(const std::string &)> closed ();
  void commands_open ();
  void topics_open ();
  void authenticate (const std::shared_ptr<RedisLink> &link);
  void check_role (const RedisReply &reply);
  void must_succeed (const RedisReply &reply);
  void step_done ();
  void master_is (const RedisAddress &server);
  void fail (const std::string &reason);
  void close_links ();

  struct Asked {
    Ticket ticket;
    Operation operation;
  };
  void send (Asked asked, bool by_text);
  void answered (const RedisReply &reply);
  void send_topics (const char *command, const std::vector<std::string_view> &topics);
  void topic_confirmed (bool on, const RedisReply &reply);

  const RedisUrl url_;
  const RedisTls tls_;
  Callbacks callbacks_;
  std::unique_ptr<RedisSentinels> sentinels_;  // null: the server is url_.servers[0]
  RedisAddress server_;
  std::shared_ptr<RedisLink> commands_, topics_;
  unsigned steps_ = 0;  // that are left before it is up
  bool started_ = false;
  bool up_ = false;
  bool told_down_ = false;  // since the start, or since it was up
  std::string reason_;
  std::string told_reason_;  // to whoever reads the log
  std::int64_t told_us_ = 0;
  std::int64_t up_since_us_ = 0;
  unsigned pause_ms_ = 0;
  Timer again_;

  // In the order in which they were sent, and are answered.
  std::deque<Asked> asked_;
  // Those whose scripts the server had forgotten, and those asked since: they are sent once asked_
  // is empty, so that their order stays.
  std::deque<Asked> unknown_;
  std::vector<Ticket> away_;  // to be answered in the next turn of the loop
  Timer tell_away_;

  struct Topic {
    bool wanted = true;
    unsigned unconfirmed = 0;  // SUBSCRIBE that were sent
  };
  std::map<std::string, Topic, std::less<>> watched_;
  StoreStatus counts_;
};

}  // namespace agora::gateway::cluster
