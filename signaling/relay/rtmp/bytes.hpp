// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Numbers as RTMP writes them: the highest byte first, but for the message stream id. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

// The caller has looked at the size.
inline std::uint16_t read_u16 (const std::uint8_t *at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

inline std::uint32_t read_u24 (const std::uint8_t *at) {
  return static_cast<std::uint32_t>(at[0]) << 16 | static_cast<std::uint32_t>(at[1]) << 8 | at[2];
}

inline std::uint32_t read_u32 (const std::uint8_t *at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | read_u24(at + 1);
}

inline std::uint32_t read_u32_little (const std::uint8_t *at) {
  return static_cast<std::uint32_t>(at[3]) << 24 | static_cast<std::uint32_t>(at[2]) << 16 |
         static_cast<std::uint32_t>(at[1]) << 8 | at[0];
}

inline void append_u8 (std::string &out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}

inline void append_u16 (std::string &out, std::uint16_t value) {
  append_u8(out, static_cast<std::uint8_t>(value >> 8));
  append_u8(out, static_cast<std::uint8_t>(value));
}

inline void append_u24 (std::string &out, std::uint32_t value) {
  append_u8(out, static_cast<std::uint8_t>(value >> 16));
  append_u16(out, static_cast<std::uint16_t>(value));
}

inline void append_u32 (std::string &out, std::uint32_t value) {
  append_u8(out, static_cast<std::uint8_t>(value >> 24));
  append_u24(out, value);
}

inline void append_u32_little (std::string &out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8)
    append_u8(out, static_cast<std::uint8_t>(value >> shift));
}

inline void append_bytes (std::string &out, Bytes bytes) {
  out.append(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

inline Bytes as_bytes (std::string_view text) {
  return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

inline std::string_view as_text (Bytes bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

}  // namespace agora::relay::rtmp
