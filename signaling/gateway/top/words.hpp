// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Figures in words: the page's words.js in C++. Pure.
#pragma once

#include <glib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace agora::gateway::words {

constexpr const char *unknown = "-";

inline std::string milliseconds (std::optional<std::int64_t> value) {
  return value ? std::to_string(*value) + " ms" : unknown;
}

inline std::string decibel (std::int64_t value) {
  return std::to_string(value) + " dB";
}

// With the unit that fits, of `unit`.
inline std::string amount (double value, const char *unit) {
  constexpr double step = 1000;
  constexpr double small = 10;
  constexpr std::array prefixes{"", "k", "M", "G", "T"};
  std::size_t at = 0;
  for (; value >= step && at + 1 < prefixes.size(); at++)
    value /= step;
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", value < small && at > 0 ? 1 : 0, value);
  return std::string(text) + " " + prefixes[at] + unit;
}

// Its two largest units.
inline std::string duration (std::int64_t seconds) {
  struct Unit {
    const char *name;
    std::int64_t size;
  };
  constexpr std::array units{Unit{"d", 86400}, Unit{"h", 3600}, Unit{"min", 60}, Unit{"s", 1}};
  std::int64_t left = std::max<std::int64_t>(seconds, 0);
  std::string text;
  for (std::size_t i = 0; i < units.size(); i++) {
    const auto count = left / units[i].size;
    left %= units[i].size;
    if (count == 0 && i + 1 < units.size())
      continue;
    text = std::to_string(count) + " " + units[i].name;
    if (i + 1 < units.size() && left / units[i + 1].size > 0)
      text += " " + std::to_string(left / units[i + 1].size) + " " + units[i + 1].name;
    break;
  }
  return text;
}

}  // namespace agora::gateway::words
