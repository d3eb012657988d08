// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Protocol control (5.4, 7.1.7), as both sides of a connection take it: what it says of the chunk
// stream is done, and what it asks for is answered. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "signaling/relay/rtmp/chunk-reader.hpp"
#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

void append_user_control (std::string &output, UserControl event, std::uint32_t value);

struct UserEvent {
  UserControl kind = UserControl::stream_begin;
  std::uint32_t value = 0;
};

class Control {
 public:
  // Of the peer.
  void came (std::size_t bytes) { bytes_in_ += bytes; }
  std::uint64_t bytes_in () const { return bytes_in_; }

  // Whether a message is protocol control.
  static bool is_of (Type type);
  // Takes one that is. Null, or what is wrong with it. `event`: for the owner; pings are answered.
  const char *take (const Message &message, ChunkReader &reader, std::string &output,
                    std::optional<UserEvent> &event);
  // Says how much has come, as often as the peer wants to hear it.
  void acknowledge (std::string &output);

 private:
  std::uint32_t window_ = 0;  // the peer's; 0: it wants to hear nothing
  std::uint64_t bytes_in_ = 0;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace agora::relay::rtmp
