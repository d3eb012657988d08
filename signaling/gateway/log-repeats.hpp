// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Sums up lines of the log that repeat, so that a flood of refused requests is no flood of lines.
// Pure: time is an argument. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

// `Line` has a `text`.
template <typename Line>
class LogRepeats {
 public:
  // Where in the code a line comes from; what comes from one place is of one kind.
  using Kind = std::pair<std::string, std::string>;

  // The line, where it is to be written now. Of each kind `burst` lines come at once, and from then
  // on one a second. Nothing: it was kept for due().
  std::optional<Line> take (const Kind &kind, unsigned burst, Line line, std::int64_t mono_ms) {
    auto &place = places_.try_emplace(kind, burst).first->second;
    if (place.held == 0 && place.bucket.take(mono_ms))
      return line;
    if (place.held++ == 0)
      place.due_ms = mono_ms + interval_ms;
    place.last = std::move(line);
    return {};
  }

  // Of each kind whose time has come the last line, and how many it stands for.
  std::vector<Line> due (std::int64_t mono_ms) {
    std::vector<Line> lines;
    for (auto &[kind, place] : places_) {
      if (place.held == 0 || mono_ms < place.due_ms)
        continue;
      place.bucket.take(mono_ms);
      if (place.held > 1)
        place.last.text += " (and " + std::to_string(place.held - 1) + " more like it)";
      place.held = 0;
      lines.push_back(std::exchange(place.last, {}));
    }
    return lines;
  }

  // When due() has something; nothing: never.
  std::optional<std::int64_t> next () const {
    std::optional<std::int64_t> at;
    for (const auto &[kind, place] : places_)
      if (place.held > 0)
        at = std::min(at.value_or(place.due_ms), place.due_ms);
    return at;
  }

 private:
  static constexpr std::int64_t interval_ms = 1000;
  struct Place {
    explicit Place(unsigned burst) : bucket(1, burst) {}
    TokenBucket bucket;
    std::uint64_t held = 0;
    std::int64_t due_ms = 0;
    Line last;
  };
  std::map<Kind, Place> places_;
};

}  // namespace agora::gateway
