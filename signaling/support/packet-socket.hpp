// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A child process's end of its line to the gateway: a socket of packets (SOCK_SEQPACKET), whatever
// loop it is watched by. Never waits: what doesn't fit is kept. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/support/descriptor.hpp"

namespace agora {

class PacketSocket {
 public:
  // Takes `fd`. Packets that come are `longest` bytes at most: of a longer one comes one byte more.
  PacketSocket(int fd, std::size_t longest) : fd_(fd), packet_(longest + 1) {}
  ~PacketSocket();
  PacketSocket(const PacketSocket &) = delete;
  PacketSocket &operator=(const PacketSocket &) = delete;

  int fd () const { return fd_; }

  // The next packet, which stays until the next call. Nothing: none has come, or has_ended().
  std::optional<std::string_view> receive ();
  // What came with that packet: one at most. It is closed if nobody takes it.
  Descriptor take_descriptor () { return std::move(came_); }
  // The other end is gone.
  bool has_ended () const { return ended_; }

  // In order; what doesn't fit waits for flush().
  void send (std::string packet);
  // To be called when there is room again.
  void flush ();
  std::size_t unsent () const { return unsent_.size(); }
  std::size_t unsent_bytes () const { return unsent_bytes_; }

 private:
  const int fd_;
  std::vector<char> packet_;
  Descriptor came_;
  std::deque<std::string> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace agora
