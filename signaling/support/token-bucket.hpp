// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A token bucket: it fills at a steady rate up to the burst. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace agora {

class TokenBucket {
 public:
  // Full at first.
  TokenBucket(unsigned per_second, unsigned burst)
      : rate_(per_second), full_(one * std::max(burst, 1U)), level_(full_) {}

  // Takes one token if there is one.
  bool take (std::int64_t mono_ms) {
    fill(mono_ms);
    if (level_ < one)
      return false;
    level_ -= one;
    return true;
  }

  // Takes as many tokens in any case; false: they were not there. What is asked beyond the limit
  // counts as a debt, so that a flood can be told from a hasty client.
  bool charge (std::int64_t mono_ms, std::size_t tokens = 1) {
    fill(mono_ms);
    level_ -= one * static_cast<std::int64_t>(tokens);
    return level_ >= 0;
  }

  // Whether take() would succeed.
  bool has_one (std::int64_t mono_ms) {
    fill(mono_ms);
    return level_ >= one;
  }

  // Whether nothing is owed: one more charge, of any size, is in order.
  bool is_paid (std::int64_t mono_ms) {
    fill(mono_ms);
    return level_ >= 0;
  }
  bool is_full (std::int64_t mono_ms) {
    fill(mono_ms);
    return level_ >= full_;
  }
  // Until nothing is owed any more.
  std::int64_t owed_ms () const {
    return level_ >= 0 || rate_ == 0 ? 0 : (-level_ + rate_ - 1) / rate_;
  }

  // Whether the debt is more than `bursts` times the burst.
  bool owes_more_than (unsigned bursts) const { return level_ < -full_ * bursts; }

 private:
  static constexpr std::int64_t one = 1'000;  // a token a second is one unit a millisecond

  void fill (std::int64_t mono_ms) {
    const std::int64_t idle = std::max<std::int64_t>(mono_ms - at_ms_, 0);
    at_ms_ = mono_ms;
    if (rate_ == 0)
      return;
    // Compared before it is multiplied: a long idle time would overflow.
    level_ = idle > (full_ - level_) / rate_ ? full_ : level_ + idle * rate_;
  }

  std::int64_t rate_;
  std::int64_t full_;
  std::int64_t level_;
  std::int64_t at_ms_ = 0;
};

}  // namespace agora
