// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One place for a worker of agora-web: started, watched, started again when it dies or no longer
// answers. Main loop only; started on the main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "signaling/gateway/process/child-process.hpp"
#include "signaling/gateway/process/descriptor-reserve.hpp"
#include "signaling/gateway/process/heartbeat.hpp"
#include "signaling/protocol/web-line.hpp"
#include "signaling/support/restart-pause.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

// Where the members of a worker come in, for one run of it.
class WorkerEntrance {
 public:
  virtual ~WorkerEntrance() = default;
  // The URL, with a new secret, for web_line::Configure.
  virtual std::string open_to_worker () = 0;
  virtual void shut_to_worker (const std::string &url) = 0;
};

class WebWorker {
 public:
  struct Callbacks {
    std::function<void()> ready;  // each time that it serves
    // "": taken; else which rule of the line it breaks, and it is ended.
    std::function<std::string(const web_line::ToGateway &message)> message;
    std::function<void()> lost;  // whatever it had is gone
    // It never served: final. `explained`: it knows what it lacks, and has said so.
    std::function<void(const std::string &reason, bool explained)> failed;
    std::function<void()> stopped;
  };

  WebWorker(std::string name, std::string program, web_line::Configure configuration,
            WorkerEntrance &entrance, Callbacks callbacks);
  ~WebWorker();
  WebWorker(const WebWorker &) = delete;
  WebWorker &operator=(const WebWorker &) = delete;

  void start ();
  void stop ();
  bool serves () const { return state_ == State::serving; }
  bool stopped () const { return state_ == State::stopped; }
  // False: the message can't travel. Lost where it doesn't serve.
  bool send (const web_line::ToWorker &message);
  // In place of those from the start.
  void set_ice_servers (const std::vector<web_line::IceServer> &servers);
  std::uint64_t restarts () const { return restarts_; }
  // Until the next one is started; 0: it runs.
  unsigned pause_ms () const;
  const web_line::Pong &figures () const { return figures_; }

 private:
  enum class State { idle, starting, serving, pausing, stopping, stopped };
  void ping ();
  void watch ();
  void on_timer ();
  void on_gone (const std::string &last_words);
  std::string take (std::string_view packet);

  const std::string name_;
  const std::string program_;
  web_line::Configure configuration_;
  WorkerEntrance &entrance_;
  const Callbacks callbacks_;
  State state_ = State::idle;
  bool was_ready_ = false;
  std::shared_ptr<ChildProcess> process_;
  DescriptorReserve reserve_;
  Timer timer_;
  Timer force_;  // ends one that doesn't stop
  Heartbeat heartbeat_;
  RestartPause pause_;
  std::int64_t started_ = 0;  // monotonic, us
  std::int64_t again_ = 0;    // the same, while it pauses
  std::uint64_t pings_ = 0;
  std::uint64_t restarts_ = 0;
  web_line::Pong figures_;  // of this run
  bool unable_ = false;     // it said so
};

}  // namespace agora::gateway
