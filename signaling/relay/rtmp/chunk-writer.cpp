// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/rtmp/chunk-writer.hpp"

#include <algorithm>

#include "signaling/relay/rtmp/bytes.hpp"

namespace agora::relay::rtmp {

namespace {

constexpr std::uint8_t kTypeThree = 0xc0;

// Each kind on a chunk stream of its own, as most servers have them; 2 is the specification's.
std::uint8_t chunk_stream (Type type) {
  switch (type) {
    case Type::audio:
      return 4;
    case Type::video:
      return 6;
    case Type::data:
      return 5;
    case Type::command:
      return 3;
    default:
      return 2;
  }
}

}  // namespace

void append_message (std::string &out, Type type, std::uint32_t stream, std::uint32_t timestamp,
                     Bytes payload, std::uint32_t chunk_size) {
  const std::uint8_t id = chunk_stream(type);
  const bool extended = timestamp >= kExtended;
  const std::size_t chunks = payload.size() / chunk_size + 1;
  out.reserve(out.size() + payload.size() + 12 + 5 * chunks);
  append_u8(out, id);
  append_u24(out, extended ? kExtended : timestamp);
  append_u24(out, static_cast<std::uint32_t>(payload.size()));
  append_u8(out, static_cast<std::uint8_t>(type));
  append_u32_little(out, stream);
  if (extended)
    append_u32(out, timestamp);
  for (;;) {
    const std::size_t piece = std::min<std::size_t>(chunk_size, payload.size());
    append_bytes(out, payload.first(piece));
    payload = payload.subspan(piece);
    if (payload.empty())
      return;
    append_u8(out, kTypeThree | id);
    if (extended)
      append_u32(out, timestamp);
  }
}

std::string encode_media (const MediaMessage &message, std::uint32_t stream) {
  std::string out;
  append_message(out, message.type, stream, message.timestamp, message.payload);
  return out;
}

}  // namespace agora::relay::rtmp
