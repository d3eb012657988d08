// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Aggregate messages: several in one, in the form of FLV's tags, whose timestamps go on from the
// aggregate's (7.1.6). Pure.
#pragma once

#include <algorithm>

#include "signaling/relay/rtmp/bytes.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"

namespace agora::relay::rtmp {

// `each(part)` for what is audio, video or data. False: it is cut off, or `each` said false.
template <typename Each>
bool for_each_part (const Message &message, Each each) {
  constexpr std::size_t head = 11;
  constexpr std::size_t tail = 4;
  Bytes rest = message.payload;
  std::uint32_t first = 0;
  while (!rest.empty()) {
    if (rest.size() < head)
      return false;
    const std::size_t size = read_u24(&rest[1]);
    if (rest.size() - head < size)
      return false;
    const std::uint32_t time = read_u24(&rest[4]) | static_cast<std::uint32_t>(rest[7]) << 24;
    if (rest.data() == message.payload.data())
      first = time;
    const Message part{static_cast<Type>(rest[0]), message.stream,
                       message.timestamp + (time - first), rest.subspan(head, size)};
    switch (part.type) {
      case Type::audio:
      case Type::video:
      case Type::data:
      case Type::data_amf3:
        if (!each(part))
          return false;
        break;
      default:
        break;
    }
    rest = rest.subspan(head + size);
    // Some leave out the last one's size behind it.
    rest = rest.subspan(std::min(tail, rest.size()));
  }
  return true;
}

}  // namespace agora::relay::rtmp
