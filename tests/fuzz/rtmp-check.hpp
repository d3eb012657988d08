// SPDX-License-Identifier: LGPL-2.1-or-later
// What the fuzzers of RTMP have in common, whichever side of a connection they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"

namespace agora::relay::rtmp::fuzz {

inline constexpr std::size_t kHandshake = 1536;

// libFuzzer keeps the input of what aborts, but not of GLib's trap.
inline void require (bool good, const char *what) {
  if (good)
    return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// Gives bytes in pieces, each in memory of its own, so that a byte too far is seen. Until all are
// given, or `take` returns false; what it returned last.
template <typename Take>
bool in_pieces (Bytes bytes, std::size_t piece, Take take) {
  bool good = true;
  while (good && !bytes.empty()) {
    const std::size_t size = std::min(piece, bytes.size());
    const std::vector<std::uint8_t> own(bytes.begin(),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes = bytes.subspan(size);
    good = take(Bytes(own));
  }
  return good;
}

inline void require_values (AmfReader reader) {
  require(reader.string().has_value(), "values without a name");
  while (!reader.at_end())
    require(reader.skip(), "values that can't be read");
}

// What an owner is given; as text.
inline std::string check_media (const MediaMessage &message, const Limits &limits) {
  require(message.payload.size() <= limits.media_bytes, "longer than allowed");
  if (message.type == Type::data)
    require_values(AmfReader(message.payload));
  else
    require(message.type == Type::audio || message.type == Type::video, "no media");
  return std::to_string(message.timestamp) + " " + std::to_string(static_cast<int>(message.type)) +
         " " + std::string(as_text(message.payload));
}

// What is said after the handshake: whole messages, readable ones.
inline void check_words (Bytes bytes) {
  Limits limits;
  limits.unfinished_bytes = 1 << 20;
  ChunkReader reader(limits);
  Message message;
  for (;;) {
    const auto step = reader.next(bytes, message);
    require(step != ChunkReader::Step::broken, "words that can't be read");
    if (step == ChunkReader::Step::more)
      break;
    if (message.type == Type::set_chunk_size)
      reader.set_chunk_size(read_u32(message.payload.data()));
    if (message.type == Type::command || message.type == Type::data)
      require_values(AmfReader(message.payload));
  }
}

}  // namespace agora::relay::rtmp::fuzz
