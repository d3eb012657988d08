// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whether a child process still answers. Pure: time is an argument, in microseconds of the
// monotonic clock.
#pragma once

#include <cstdint>

namespace agora::gateway {

class Heartbeat {
 public:
  // `interval_us`: between pings; `silence_us`: without a sign of life, from when on it is one.
  Heartbeat(std::int64_t interval_us, std::int64_t silence_us)
      : interval_us_(interval_us), silence_us_(silence_us) {}

  void begin (std::int64_t now) { heard_ = due_ = now; }
  void heard (std::int64_t now) { heard_ = now; }
  // A ping goes out; when to look next.
  std::int64_t next (std::int64_t now) { return due_ = now + interval_us_; }
  // Whether its watcher looks much later than it meant to.
  bool late (std::int64_t now) {
    const bool is = now - due_ > stall_us;
    if (is)
      heard_ = now;
    return is;
  }
  bool silent (std::int64_t now, std::int64_t longest_us) const {
    return now - heard_ > longest_us;
  }
  bool silent (std::int64_t now) const { return silent(now, silence_us_); }

 private:
  static constexpr std::int64_t stall_us = 500'000;
  const std::int64_t interval_us_;
  const std::int64_t silence_us_;
  std::int64_t heard_ = 0;
  std::int64_t due_ = 0;
};

}  // namespace agora::gateway
