// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// agora-relay as the media server: one worker, or several behind one port. A listener may be at
// another worker than the push it hears: then its worker plays the stream from there, by a
// connection that is made here. Main loop only. Made on the main thread
// (process/child-process.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/media/relay-routes.hpp"
#include "signaling/gateway/media/relay-worker.hpp"
#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

class RelayServer : public MediaServer {
 public:
  // Listens already when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<MediaServer>, std::string> make (const Options &options);
  // Of --relay-ca-file, PEM; "": none is given.
  struct Authorities {
    std::string pem;
  };
  static std::variant<Authorities, std::string> read_authorities (const Options &options);

  MediaAddress address () const override { return address_; }
  MediaAddress near_address () const override { return near_; }
  std::uint16_t rtmps_port () const override { return rtmps_port_; }
  void set_certificate (const std::string &certificate, const std::string &key) override;
  void set_authorities (const std::string &authorities) override;
  void start (Callbacks callbacks) override;
  void stop () override;
  void drop (const DropMedia &what, std::function<void()> done) override;
  void move (const MovePlay &what) override;
  bool alive () const override;
  unsigned pause_ms () const override;
  unsigned restarts () const override;
  std::optional<relay_line::Counters> counters () const override;

 private:
  // A push or a play at a worker, which was asked for and not refused.
  struct MediaSession {
    HookRequest end;  // what is told when it ends
    std::size_t worker = 0;
    bool allowed = false;
    std::string moved_to;  // before it was
  };
  // A reply may come when the server is gone.
  struct Alive {};

  explicit RelayServer(std::size_t workers) : routes_(workers), alive_(std::make_shared<Alive>()) {}
  // How the gateway calls a session of a worker.
  std::uint64_t id_of (std::size_t worker, std::uint64_t id) const {
    return id * workers_.size() + worker;
  }
  void ask (std::size_t worker, const relay_line::Ask &ask, const Reply &reply);
  void answer (std::uint64_t id, const Reply &reply, Answer answer);
  void done (std::size_t worker, const relay_line::Done &done);
  void pull_failed (std::size_t worker, const relay_line::PullFailed &failed);
  void lost (std::size_t worker);
  void sessions (std::size_t worker, const std::vector<std::uint64_t> &ids, std::int64_t asked);
  void make (const RelayRoutes::Links &links);
  void cut (const std::string &stream);
  void ended (const MediaSession &session);
  void on_ready ();
  void on_away ();
  void on_back ();
  void on_stopped ();
  void on_failed (const std::string &reason);

  MediaAddress address_;
  MediaAddress near_;
  std::uint16_t rtmps_port_ = 0;
  relay_line::Configure configuration_;
  std::vector<std::unique_ptr<RelayWorker>> workers_;
  RelayRoutes routes_;
  std::unordered_map<std::uint64_t, MediaSession> sessions_;  // by the gateway's id
  Callbacks callbacks_;
  std::size_t ready_ = 0;    // workers that served for the first time
  std::size_t stopped_ = 0;  // workers that have ended for good
  bool failed_ = false;
  bool told_away_ = false;
  const std::shared_ptr<Alive> alive_;
};

}  // namespace agora::gateway
