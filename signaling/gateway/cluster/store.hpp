// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What gateways share: operations that are answered, and topics that are heard. The rules of it
// are Cluster's; RedisStore carries them. Main loop only; nothing here waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/gateway/cluster/operation.hpp"

namespace agora::gateway::cluster {

// How the store is reached. Secrets come from files, never from the command line.
struct StoreOptions {
  // redis://[USER@]HOST[:PORT][/DB], rediss:// with TLS,
  // redis+sentinel://[USER@]HOST[:PORT],HOST[:PORT],…/MASTER[/DB], rediss+sentinel:// with TLS.
  // USER:PASSWORD@ is taken, too; other users of the machine can read it in the list of processes.
  std::string url;
  std::string password;  // takes precedence over the URL's; "": none but the URL's
  std::string ca_file;   // PEM, for TLS; "": the system's authorities
};

struct StoreStatus {
  bool up = false;
  std::string server;          // the address in use, or the last one tried
  std::string reason;          // why it is away; "" while it is up
  std::uint64_t waiting = 0;   // operations that were sent and not yet answered
  std::uint64_t sent = 0;      // operations since the start
  std::uint64_t answered = 0;  // of them by the store itself
  std::uint64_t losses = 0;    // how often it went away
};

class Store {
 public:
  struct Callbacks {
    // Once for each ask(), never from inside it. Verdict::away: the store didn't answer, and may or
    // may not have carried it out.
    std::function<void(Ticket ticket, Answer answer)> answered;
    // In the order in which the store published them. Between down() and up() some are lost.
    std::function<void(const std::string &topic, const std::string &message)> heard;
    // From now on what is published under `topic` is heard. Again after each up().
    std::function<void(const std::string &topic)> subscribed;
    // It answers, and each subscription that was asked for is confirmed: subscribed() follows for
    // each of them at once.
    std::function<void()> up;
    // It is away: `reason` is one sentence for the log. Comes before the answers `away` of what was
    // under way. Once for each loss; also once where the first connection fails.
    std::function<void(const std::string &reason)> down;
  };

  Store() = default;
  virtual ~Store() = default;
  Store(const Store &) = delete;
  Store &operator=(const Store &) = delete;

  // Connects, and connects again until stop(). No callback comes from inside a call of the store.
  virtual void start (Callbacks callbacks) = 0;
  // In order: what is asked first is carried out first. While the store is away the answer is
  // `away`.
  virtual void ask (Ticket ticket, Operation operation) = 0;
  // What was asked goes out now, and not only when the loop comes around: for who is busy for long.
  virtual void hurry () = 0;
  // `topic` as it stands in heard(). Kept over reconnects until unsubscribe().
  virtual void subscribe (const std::string &topic) = 0;
  virtual void unsubscribe (const std::string &topic) = 0;
  // No callback is called any more, also for what was asked.
  virtual void stop () = 0;
  virtual StoreStatus status () const = 0;
};

// A store in Redis; or what is wrong with the options, or that this build has none.
std::variant<std::unique_ptr<Store>, std::string> make_redis_store (const StoreOptions &options);

}  // namespace agora::gateway::cluster
