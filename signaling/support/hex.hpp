// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Hexadecimal digits. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace agora {

enum class HexCase { lower, upper };

inline std::string to_hex (std::span<const std::uint8_t> bytes, HexCase letters = HexCase::lower) {
  const char *digits = letters == HexCase::lower ? "0123456789abcdef" : "0123456789ABCDEF";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace agora
