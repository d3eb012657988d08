// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What FlvAudioFilter handed on of a stream of Opus, taken apart: heads and packets, each with its
// time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "gst/common/opus-packet.hpp"

namespace agora {

class OpusTagReader {
 public:
  using Bytes = std::span<const std::uint8_t>;

  struct Read {
    std::optional<OpusPacket> packet;  // nothing: it is a head
    Bytes data;                        // within the tags
    // Of a packet: the filter's milliseconds, whose wraps are left out from the first one on.
    std::int64_t ms = 0;
  };

  // The next head, or the next packet that a decoder takes, off the front of `tags`, which are
  // whole; nothing: no more is in there.
  std::optional<Read> next (Bytes &tags);
  // What it says by the last head; nothing: no decoder takes it.
  std::optional<OpusPacket> packet_of (Bytes data) const { return OpusPacket::of(data, streams_); }
  // As of a stream that has none yet. Its times go on.
  void forget_head () { streams_ = 1; }

 private:
  std::int64_t time_of (std::uint32_t stamp);

  unsigned streams_ = 1;  // of a packet, as the last good head says
  std::int64_t ms_ = 0;   // of the last packet
  std::optional<std::uint32_t> stamp_;
};

}  // namespace agora
