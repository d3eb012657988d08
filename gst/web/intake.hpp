// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What of a peer's packets is let in: as much as one voice needs, and no more. What each packet
// costs beyond that (decryption, a source's state of tens of kilobytes, decoding) is spent only on
// those. Pure: time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "signaling/support/token-bucket.hpp"

namespace agora::web {

class Intake {
 public:
  // A voice has one. Who begins anew has another.
  static constexpr std::size_t most_sources = 8;

  // A packet as it came, before it is decrypted: RTP, RTCP or DTLS by its first bytes (RFC 7983).
  bool takes (const std::uint8_t *packet, std::size_t size, std::int64_t mono_ms);
  // It goes on sending far more than a voice has.
  bool is_flooded () const { return owes_; }

 private:
  bool takes_media (const std::uint8_t *packet, std::size_t size, std::int64_t mono_ms);
  bool knows (std::uint32_t ssrc);

  // Packets of 2.5 ms are 400 a second; Opus has 510 kbit/s at most.
  TokenBucket voice_{450, 900};
  TokenBucket size_{1600, 3200};  // units of 64 bytes: 800 kbit/s
  TokenBucket reports_{20, 100};
  TokenBucket handshake_{50, 200};
  // All of them, those that are dropped as well.
  TokenBucket all_{1000, 2000};
  bool owes_ = false;
  std::vector<std::uint32_t> sources_;
};

// Packets of Opus, by how long they sound: as much sound as there is time, and what a network that
// stood still brings at once.
class SoundBudget {
 public:
  bool takes (const std::uint8_t *packet, std::size_t size, std::int64_t mono_ms);

 private:
  TokenBucket ms_{1100, 3000};
};

// How long a packet of Opus sounds, in tenths of a millisecond (RFC 6716, section 3.1); 0: it is
// none.
unsigned opus_tenths (const std::uint8_t *packet, std::size_t size);

}  // namespace agora::web
