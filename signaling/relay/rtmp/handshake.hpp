// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The handshake, the server's side (5.2): C0 C1 in, S0 S1 S2 out, C2 in. A C1 that carries a digest
// (Flash Player 9 and later; ffmpeg) is answered with one, by which such players know that H.264
// and AAC may come. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

inline constexpr std::uint8_t kRtmpVersion = 3;
inline constexpr std::size_t kHandshakeBytes = 1536;  // C1, C2, S1, S2

class Handshake {
 public:
  enum class Step { more, done, broken };

  // Takes what is the handshake's off the front of `input`, in any pieces, and appends the answer.
  Step feed (Bytes &input, std::string &out, std::uint64_t seed, std::uint32_t ms);
  const char *reason () const { return "the handshake is of another version than 3"; }
  std::size_t memory () const { return hello_.capacity(); }

 private:
  std::vector<std::uint8_t> hello_;  // C0 and C1 as far as they have come; empty again afterwards
  std::size_t acknowledged_ = 0;     // bytes of C2
  bool answered_ = false;
};

// The bytes only have to differ from one connection to the next. Moves `state` on.
void fill_random (std::span<std::uint8_t> bytes, std::uint64_t &state);

using Digest = std::array<std::uint8_t, 32>;

// Where a C1 or S1 has its digest: two schemes, which differ in where the place is told.
enum class DigestScheme { first, second };

std::size_t digest_offset (Bytes hello, DigestScheme scheme);
// Over a C1 or S1 without the 32 bytes at `offset`.
Digest hello_digest (Bytes hello, std::size_t offset, std::string_view key);
// What a C2 or S2 ends with: over what comes before, under a key made of the digest it answers.
Digest reply_digest (Bytes reply, const Digest &answered, std::string_view key);

// The keys that players and servers share. Of each, what hello_digest() takes is the first part.
std::string_view player_key ();  // all that is needed of it
std::string_view server_key ();
inline constexpr std::size_t kServerKeyText = 36;

}  // namespace agora::relay::rtmp
