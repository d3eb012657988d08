// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an Opus packet says of itself (RFC 6716, section 3), and the sender's wall clock inside one:
// in padding, which decoders skip, as an extension for experiments. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace agora {

struct OpusPacket {
  int channels = 1;
  unsigned frames = 1;
  unsigned samples = 960;  // of all frames, at 48 kHz; 5760 at the most
  bool padded = false;
  bool has_fec = false;  // the frame before it once more, in few bits (in-band FEC)
  bool rests = false;    // says that there is nothing to say (DTX)

  // Nothing, where the packet breaks a rule of the RFC's: no decoder takes it. Of many streams, as
  // more than two channels have them, it is the last one, and they are of one length.
  static std::optional<OpusPacket> of (std::span<const std::uint8_t> bytes, unsigned streams = 1);
};

// The packet with `wall`, microseconds since 1970; it decodes as before. Nothing for one that can't
// be read, or has padding already.
std::optional<std::vector<std::uint8_t>> stamp_opus (std::span<const std::uint8_t> packet,
                                                     std::int64_t wall);
// The stamp that a packet has, if any.
std::optional<std::int64_t> opus_stamp (std::span<const std::uint8_t> packet);

}  // namespace agora
