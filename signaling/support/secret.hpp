// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What nobody may guess: random bytes, secrets, and comparing them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace agora {

// Fills `out` from the kernel's generator, which is cryptographically strong.
void kernel_random (std::span<std::uint8_t> out);

// 64 hexadecimal digits: 256 random bits.
std::string draw_secret ();

// Compares in a time that doesn't depend on where the texts differ. Pure.
inline bool same_secret (std::string_view given, std::string_view expected) {
  if (given.size() != expected.size())
    return false;
  // volatile: so that the loop isn't left at the first difference.
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < given.size(); i++)
    difference = difference | static_cast<unsigned char>(given[i] ^ expected[i]);
  return difference == 0;
}

}  // namespace agora
