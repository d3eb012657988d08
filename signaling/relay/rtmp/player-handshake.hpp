// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The handshake, the player's side (5.2), without a digest: C0 C1 out, S0 S1 S2 in, C2 out. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "signaling/relay/rtmp/handshake.hpp"
#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

class PlayerHandshake {
 public:
  // Appends C0 and C1.
  static void begin (std::string &out, std::uint64_t seed, std::uint32_t ms);
  // Takes what is the handshake's off the front of `input`, in any pieces. When all has come, C2 is
  // appended. What S2 repeats isn't looked at: some servers write something else there.
  Handshake::Step feed (Bytes &input, std::string &out);
  const char *reason () const { return "the server's handshake is of another version than 3"; }
  std::size_t memory () const { return hello_.capacity(); }

 private:
  std::vector<std::uint8_t> hello_;  // S0 and S1, as far as they have come
  std::size_t acknowledged_ = 0;     // bytes of S2
};

}  // namespace agora::relay::rtmp
