// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How long to wait before the next try: what breaks again and again is tried again ever more
// slowly.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace agora {

// For one thread; the time is an argument.
class RetryPace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // After the try at once, this long, doubling up to the bound. Milliseconds.
  static constexpr unsigned kFirst = 250;
  static constexpr unsigned kLast = 2000;
  // What held for longer than this was no failed try.
  static constexpr std::chrono::seconds kHeld{5};

  // Milliseconds from `now` until the next try; 0 for the first.
  unsigned next_ms (Time now) {
    if (last_ && now - *last_ > kHeld)
      next_ = 0;
    last_ = now;
    const unsigned wait = next_;
    // Never counts further than the bound: an outage may last for as many tries as it likes.
    next_ = wait == 0 ? kFirst : std::min(kLast, wait * 2);
    return wait;
  }

 private:
  std::optional<Time> last_;
  unsigned next_ = 0;
};

}  // namespace agora
