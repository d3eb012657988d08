// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The relay's end of its line to the gateway: a socket of packets (signaling/protocol/relay-line).
// Never waits: what doesn't fit is kept, and what is kept is bounded, since each message but the
// log is the answer to one of the gateway's or belongs to a session.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "signaling/protocol/relay-line.hpp"
#include "signaling/relay/poller.hpp"
#include "signaling/support/descriptor.hpp"
#include "signaling/support/packet-socket.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::relay {

class Line : public Ready {
 public:
  // `socket`: what came with it, if anything did.
  using Told = std::function<void(const relay_line::ToRelay &, Descriptor socket)>;

  // `told`: each message of the gateway; `over`: the gateway is gone, or broke the line's rules.
  Line(Poller &poller, int fd, Told told, std::function<void()> over);
  ~Line() override;

  // False: the message can't travel (a text that is no UTF-8, say).
  bool send (const relay_line::ToGateway &message);
  // Whether little waits: what may as well come later is to wait itself.
  bool has_room () const;
  // At most a few lines a second; how many were left out is said later.
  void log (relay_line::Level level, std::string text);
  // Says what was left out.
  void tick (std::int64_t mono_ms);

  void on_ready (std::uint32_t events) override;

 private:
  void read ();
  void watch_room ();

  Poller &poller_;
  PacketSocket socket_;
  const Told told_;
  const std::function<void()> over_;
  bool watching_write_ = false;
  TokenBucket lines_;
  unsigned left_out_ = 0;
};

}  // namespace agora::relay
