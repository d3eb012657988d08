// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/player-handshake.hpp"

#include <algorithm>
#include <array>

#include "signaling/relay/rtmp/bytes.hpp"

namespace agora::relay::rtmp {

void PlayerHandshake::begin(std::string &out, std::uint64_t seed, std::uint32_t ms) {
  std::array<std::uint8_t, kHandshakeBytes - 8> rest;
  fill_random(rest, seed);
  append_u8(out, kRtmpVersion);
  append_u32(out, ms);
  // A version of 0 says that there is no digest.
  append_u32(out, 0);
  append_bytes(out, rest);
}

Handshake::Step PlayerHandshake::feed(Bytes &input, std::string &out) {
  constexpr std::size_t hello_size = 1 + kHandshakeBytes;
  const std::size_t taken = std::min(input.size(), hello_size - hello_.size());
  if (hello_.size() + taken == hello_size)
    hello_.reserve(hello_size);
  hello_.insert(hello_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(taken));
  input = input.subspan(taken);
  if (!hello_.empty() && hello_[0] != kRtmpVersion)
    return Handshake::Step::broken;
  const std::size_t repeated = std::min(input.size(), kHandshakeBytes - acknowledged_);
  acknowledged_ += repeated;
  input = input.subspan(repeated);
  if (hello_.size() < hello_size || acknowledged_ < kHandshakeBytes)
    return Handshake::Step::more;
  append_bytes(out, Bytes(hello_).subspan(1));
  return Handshake::Step::done;
}

}  // namespace agora::relay::rtmp
