// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One process of agora-relay. It is started again when it dies or no longer answers; its listening
// sockets are the gateway's, so that its port stays the same. Main loop only. Made on the main
// thread (process/child-process.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/process/child-process.hpp"
#include "signaling/gateway/process/descriptor-reserve.hpp"
#include "signaling/gateway/process/heartbeat.hpp"
#include "signaling/protocol/relay-url.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/restart-pause.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class RelayWorker {
 public:
  struct Setup {
    std::string program;
    relay_line::Configure configuration;
    ObjectPtr<GSocket> socket;
    ObjectPtr<GSocket> tls_socket;  // of RTMPS; none without
    std::string authorities;        // of origins' certificates; "": none
    std::int64_t longest_outage_us = 0;
  };
  struct Callbacks {
    std::function<void(const relay_line::Ask &ask, MediaServer::Reply reply)> ask;
    std::function<void(const relay_line::Done &done)> done;
    std::function<void(const relay_line::Pulled &pulled)> pulled;
    std::function<void(const relay_line::PullFailed &failed)> pull_failed;
    std::function<void(const relay_line::Traffic &traffic)> traffic;
    // As of MediaServer.
    std::function<void()> ready;
    std::function<void(const std::string &reason)> failed;
    std::function<void()> lost;
    std::function<void(const std::vector<std::uint64_t> &ids, std::int64_t asked)> sessions;
    std::function<void()> away;
    std::function<void()> back;
    std::function<void()> stopped;
  };

  explicit RelayWorker(Setup setup);
  ~RelayWorker();
  RelayWorker(const RelayWorker &) = delete;
  RelayWorker &operator=(const RelayWorker &) = delete;

  void start (Callbacks callbacks);
  void stop ();
  void configure (const relay_line::Configure &configuration);
  void set_authorities (const std::string &authorities);
  // `done`: as MediaServer::drop().
  void drop (relay_line::Side side, const std::string &stream, std::uint64_t id,
             std::function<void()> done);
  // The two ends of a connection between workers: this one plays the stream, or is played from.
  void link (const std::string &stream, Descriptor socket);
  void move (std::uint64_t id, const std::string &stream);
  void take_guest (Descriptor socket);

  bool serves () const { return state_ == State::serving; }
  bool is_away () const { return told_away_; }
  unsigned pause_ms () const { return state_ == State::pausing ? pause_.ms() : 0; }
  unsigned restarts () const { return restarts_; }
  relay_line::Counters counters () const;

 private:
  enum class State { idle, starting, serving, pausing, stopping, stopped };
  struct Asked {
    std::int64_t at = 0;  // monotonic, us
    std::vector<std::uint64_t> ids;
  };

  void spawn ();
  void send (const relay_line::ToRelay &message, Descriptor gift = {});
  void watch ();
  void ping ();
  void list_sessions ();
  void on_timer ();
  void lasted ();
  void look_at_outage ();
  void on_gone (const std::string &last_words);
  void forget_drops ();
  void failed (const std::string &reason);

  void told (const relay_line::Ready &message);
  void told (const relay_line::Ask &message);
  void told (const relay_line::Done &message);
  void told (const relay_line::Pong &message);
  void told (const relay_line::Sessions &message);
  void told (const relay_line::Dropped &message);
  void told (const relay_line::Dial &message);
  void told (const relay_line::Pulled &message);
  void told (const relay_line::PullFailed &message);
  void told (const relay_line::Traffic &message) { callbacks_.traffic(message); }
  void told (const relay_line::Log &message);

  Setup setup_;
  DescriptorReserve reserve_;
  std::shared_ptr<ChildProcess> relay_;
  Callbacks callbacks_;
  State state_ = State::idle;
  bool was_ready_ = false;
  Timer timer_;
  Heartbeat heartbeat_;
  RestartPause pause_;
  Timer force_;               // ends a relay that doesn't stop
  std::int64_t started_ = 0;  // monotonic, us: this relay
  std::uint64_t pings_ = 0;
  std::uint64_t lists_ = 0;
  std::map<std::uint64_t, Asked> asked_;  // questions for the sessions, by their number
  // Origins that answers to this relay have named, by "IP:PORT": it is connected to no other place.
  using Origins = std::map<std::string, relay_line::RelayUrl>;
  std::shared_ptr<Origins> origins_ = std::make_shared<Origins>();
  std::uint64_t tickets_ = 0;
  std::unordered_map<std::uint64_t, std::function<void()>> drops_;  // under way, by ticket
  relay_line::Counters counters_;                                   // of this relay
  relay_line::Counters before_;  // of those before it: what only grows
  std::int64_t away_since_ = 0;  // 0: it serves
  bool told_away_ = false;
  unsigned restarts_ = 0;
};

}  // namespace agora::gateway
