// SPDX-License-Identifier: LGPL-2.1-or-later
// So many a second, with bursts of twice as many.
#pragma once

#include <algorithm>
#include <cstdint>

namespace agora::gateway {

class Allowance {
 public:
  explicit Allowance(unsigned per_second) : rate_(per_second), credit_(full()) {}

  // Whether one more is within it.
  bool take (std::int64_t mono_ms) {
    const std::int64_t idle = std::max<std::int64_t>(mono_ms - at_ms_, 0);
    at_ms_ = mono_ms;
    credit_ = idle > longest_ms ? full() : std::min(full(), credit_ + idle * rate_);
    if (credit_ < one)
      return false;
    credit_ -= one;
    return true;
  }

 private:
  static constexpr std::int64_t one = 1'000;
  static constexpr std::int64_t longest_ms = 2'000;
  std::int64_t full () const { return 2 * one * rate_; }

  std::int64_t rate_;
  std::int64_t credit_;
  std::int64_t at_ms_ = 0;
};

}  // namespace agora::gateway
