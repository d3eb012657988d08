// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The HTTP API of SRS, of one server or of an origin and its edges: a session is at one of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/media/control-http.hpp"
#include "signaling/gateway/media/media-control.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

// One session of a list of clients.
struct SrsClient {
  std::uint64_t session = 0;
  std::string stream;
  bool pushes = false;
};
// Of an answer to GET /api/v1/clients; those of no use to us are left out. Nothing: it is none.
std::optional<std::vector<SrsClient>> parse_srs_clients (std::string_view body);

class SrsControl : public MediaControl {
 public:
  // `servers`: http://HOST:PORT each.
  explicit SrsControl(std::vector<std::string> servers);

  // Asks for the sessions every ten seconds: an end whose hook got lost, or one of a server that
  // was restarted, is made up for.
  void start (const MediaServer::Callbacks &callbacks) override;
  void drop (const DropMedia &what, std::function<void()> done) override;

 private:
  struct SrsClients {
    std::vector<SrsClient> list;
    bool whole = true;  // every server has answered
  };
  using Listed = std::function<void(const SrsClients &clients)>;
  void list (Listed listed);
  void look ();
  void end (std::uint64_t session, std::function<void()> done);

  std::vector<std::string> servers_;
  std::function<void(const std::vector<std::uint64_t> &ids, std::int64_t asked)> sessions_;
  Timer timer_;
  ControlHttp http_;  // the last member: nothing is answered while the others go
};

}  // namespace agora::gateway
