// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Chunks back into messages (5.3). A message that lies whole in what came is not copied. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

struct Message {
  Type type = Type::audio;
  std::uint32_t stream = 0;     // message stream id
  std::uint32_t timestamp = 0;  // absolute; wraps
  Bytes payload;
};

class ChunkReader {
 public:
  enum class Step { more, message, broken };

  explicit ChunkReader(const Limits &limits) : limits_(limits) {}

  // Takes bytes off the front of `input` until a message is whole, or nothing is left. What it
  // points to is valid until the next call, as long as the input is.
  Step next (Bytes &input, Message &message);
  const char *reason () const { return reason_; }

  // What the peer said in messages of its own (5.4.1, 5.4.2).
  bool set_chunk_size (std::uint32_t size);
  void abort (std::uint32_t chunk_stream);
  // From now on a message may be as long as those of an accepted push are.
  void admit () { admitted_ = true; }

  std::size_t memory () const;

 private:
  struct ChunkStream {
    std::uint32_t id = 0;
    std::uint32_t stream = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t field = 0;  // of the last header that had one: an absolute time, or a difference
    std::uint32_t length = 0;
    Type type = Type::audio;
    bool extended = false;
    bool open = false;  // its message has begun, and is not whole
    std::vector<std::uint8_t> partial;
  };

  // One chunk's header. `size` 0: cut off.
  struct Header {
    std::size_t size = 0;
    unsigned format = 0;
    std::uint32_t id = 0;
    std::uint32_t field = 0;
    std::uint32_t length = 0;
    std::uint8_t type = 0;
    std::uint32_t stream = 0;
    bool extended = false;
  };

  static constexpr std::size_t kLongestHeader = 3 + 11 + 4;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Step broken (const char *reason);
  Header parse (Bytes bytes) const;
  bool read_header (Bytes &input, bool &whole);
  bool begin_chunk (const Header &header);
  bool take_payload (Bytes &input, Message &message, bool &whole);
  void release_finished ();
  std::size_t longest (Type type) const;
  std::size_t find (std::uint32_t id) const;

  const Limits &limits_;
  std::uint32_t chunk_size_ = 128;
  std::vector<ChunkStream> streams_;
  std::size_t current_ = kNone;   // whose chunk is being read
  std::size_t left_ = 0;          // bytes of that chunk
  std::size_t finished_ = kNone;  // whose message was handed out from its own memory
  std::size_t unfinished_ = 0;    // bytes of all partial messages
  bool admitted_ = false;
  // The beginning of a header whose rest has not come.
  std::array<std::uint8_t, kLongestHeader> carry_ = {};
  std::uint8_t carried_ = 0;
  const char *reason_ = "";
};

}  // namespace agora::relay::rtmp
