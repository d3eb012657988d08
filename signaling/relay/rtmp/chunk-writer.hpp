// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Messages as chunks. Each message begins with a full header (type 0) and an absolute timestamp, so
// that it is the same bytes for every peer, and may be left out before or after any other. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

// What we announce to each peer right after its connect, and write from then on.
inline constexpr std::uint32_t kOutChunkSize = 65536;

// Where a chunk's header of type 0 has the message stream id, four bytes, the lowest first.
inline constexpr std::size_t kStreamIdOffset = 8;

void append_message (std::string &out, Type type, std::uint32_t stream, std::uint32_t timestamp,
                     Bytes payload, std::uint32_t chunk_size = kOutChunkSize);

// For a player whose play was accepted on `stream`. Two players with the same stream id (nearly all
// have 1) can be sent the same bytes.
std::string encode_media (const MediaMessage &message, std::uint32_t stream);

}  // namespace agora::relay::rtmp
