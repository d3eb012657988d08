// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/handshake.hpp"

#include <algorithm>

#include "signaling/relay/rtmp/bytes.hpp"

namespace agora::relay::rtmp {

namespace {

using Hello = std::array<std::uint8_t, kHandshakeBytes>;

// What servers with a digest say they are; zeros without one (5.2.3).
constexpr std::uint32_t kDigestVersion = 0x0d0e0a0d;

void write_u32 (std::span<std::uint8_t, 4> at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i)
    at[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

struct Signed {
  DigestScheme scheme;
  Digest digest;
};

std::optional<Signed> find_digest (Bytes hello) {
  // A version of 0 says that there is none.
  if (read_u32(&hello[4]) == 0)
    return std::nullopt;
  for (DigestScheme scheme : {DigestScheme::first, DigestScheme::second}) {
    const std::size_t offset = digest_offset(hello, scheme);
    const Digest digest = hello_digest(hello, offset, player_key());
    if (std::ranges::equal(digest, hello.subspan(offset, digest.size())))
      return Signed{scheme, digest};
  }
  return std::nullopt;
}

void answer (Bytes c1, std::string &out, std::uint64_t seed, std::uint32_t ms) {
  Hello s1 = {};
  write_u32(std::span(s1).subspan<0, 4>(), ms);
  fill_random(std::span(s1).subspan(8), seed);
  Hello s2 = {};
  if (const auto peer = find_digest(c1)) {
    write_u32(std::span(s1).subspan<4, 4>(), kDigestVersion);
    const std::size_t offset = digest_offset(s1, peer->scheme);
    const Digest own = hello_digest(s1, offset, server_key().substr(0, kServerKeyText));
    std::ranges::copy(own, s1.begin() + static_cast<std::ptrdiff_t>(offset));
    fill_random(s2, seed);
    std::ranges::copy(reply_digest(s2, peer->digest, server_key()), s2.end() - sizeof(Digest));
  } else {
    // The time at which C1 was read (5.2.4) is left as it came: some peers compare all of it.
    std::ranges::copy(c1, s2.begin());
  }
  append_u8(out, kRtmpVersion);
  append_bytes(out, s1);
  append_bytes(out, s2);
}

}  // namespace

// splitmix64.
void fill_random (std::span<std::uint8_t> bytes, std::uint64_t &state) {
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t word = state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    word ^= word >> 31;
    for (std::size_t j = i; j < std::min(i + 8, bytes.size()); ++j, word >>= 8)
      bytes[j] = static_cast<std::uint8_t>(word);
  }
}

Handshake::Step Handshake::feed(Bytes &input, std::string &out, std::uint64_t seed,
                                std::uint32_t ms) {
  constexpr std::size_t hello_size = 1 + kHandshakeBytes;
  if (!answered_) {
    const std::size_t taken = std::min(input.size(), hello_size - hello_.size());
    // In one step, so that it doesn't grow to twice its size.
    if (hello_.size() + taken == hello_size)
      hello_.reserve(hello_size);
    hello_.insert(hello_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(taken));
    input = input.subspan(taken);
    if (!hello_.empty() && hello_[0] != kRtmpVersion)
      return Step::broken;
    if (hello_.size() < hello_size)
      return Step::more;
    answer(Bytes(hello_).subspan(1), out, seed, ms);
    answered_ = true;
    hello_ = std::vector<std::uint8_t>();
  }
  const std::size_t taken = std::min(input.size(), kHandshakeBytes - acknowledged_);
  acknowledged_ += taken;
  input = input.subspan(taken);
  return acknowledged_ == kHandshakeBytes ? Step::done : Step::more;
}

}  // namespace agora::relay::rtmp
