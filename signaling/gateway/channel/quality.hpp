// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What members report of their sound, summed up (the feature `quality`). It is their own word: no
// rule looks at it, and no single report can add more than it has time for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "signaling/protocol/messages.hpp"

namespace agora::gateway {

// Upper bounds in ms; what is beyond the last one has a bucket of its own.
template <const auto &bounds>
struct Histogram {
  std::array<std::uint64_t, std::size(bounds) + 1> counts{};
  std::uint64_t sum_ms = 0;

  void add (std::int64_t value_ms) {
    std::size_t at = 0;
    while (at < bounds.size() && value_ms > bounds[at])
      at++;
    counts[at]++;
    sum_ms += static_cast<std::uint64_t>(value_ms);
  }
};

inline constexpr std::array latency_bounds =
    std::to_array<std::int64_t>({50, 100, 150, 200, 300, 400, 600, 1'000, 2'000});
inline constexpr std::array jitter_bounds =
    std::to_array<std::int64_t>({2, 5, 10, 20, 50, 100, 200, 500});

// One for each speaker in each report.
struct Quality {
  std::uint64_t reports = 0;
  Histogram<latency_bounds> latency;
  Histogram<jitter_bounds> jitter;
  std::uint64_t sent_dropped_ms = 0;
  std::uint64_t dropped_ms = 0;
  std::uint64_t concealed_ms = 0;

  // `before`: the member's last report, so long ago; null: this is its first, and only a beginning
  // to count from.
  void add (const protocol::Report &report, const protocol::Report *before, std::int64_t passed_ms);
};

// The last report of a member.
struct Reported {
  protocol::Report report;
  std::int64_t at_ms = 0;  // monotonic
};

}  // namespace agora::gateway
