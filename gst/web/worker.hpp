// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// All that one agora-web does: sessions by their numbers, as the gateway orders them over the line.
// Main loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gst/web/audience.hpp"
#include "gst/web/feed.hpp"
#include "gst/web/line.hpp"
#include "gst/web/member.hpp"
#include "gst/web/session.hpp"

namespace agora::web {

class Worker final : private Surroundings {
 public:
  // `over`: the gateway is gone.
  Worker(int line, std::function<void()> over);
  ~Worker() override;

  // It has warmed up; or can't serve, for this reason.
  void ready ();
  void unable (const std::string &reason);
  // All sessions end, and their members leave; waits a moment for that. False: some pipeline still
  // plays.
  bool stop ();

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    std::size_t calls = 0;  // under way
  };

  void told (const web_line::Configure &message);
  void told (const web_line::Offer &message);
  void told (const web_line::Trickle &message);
  void told (const web_line::Call &message);
  void told (const web_line::End &message);
  void told (const web_line::Listen &message);
  void told (const web_line::Feed &message);
  void told (const web_line::Ping &message);

  std::shared_ptr<Member> member_for (const web_line::Offer &message, std::string &reason);
  void refuse (std::uint64_t session, unsigned status, const Trouble &trouble);
  void take_out (Session &session);
  Entry *find (std::uint64_t session);

  // Surroundings
  void send (const web_line::ToGateway &message) override { line_.send(message); }
  void send_if_prompt (const web_line::ToGateway &message) override {
    line_.send_if_prompt(message);
  }
  bool send_if_room (const web_line::ToGateway &message) override {
    return line_.send_if_room(message);
  }
  PeerConfig peer_config (const std::string &address) const override;
  const web_line::Configure &configuration () const override { return *configuration_; }
  Audiences &audiences () override { return *audiences_; }
  void over (Session &session, const Trouble &trouble, unsigned status) override;

  Line line_;
  std::optional<web_line::Configure> configuration_;
  std::optional<Audiences> audiences_;
  std::map<std::uint64_t, Entry> sessions_;
  std::map<std::uint64_t, std::unique_ptr<Feed>> feeds_;
};

}  // namespace agora::web
