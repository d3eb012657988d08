// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How long to wait before what has died is started again: the pause grows while it dies soon. Pure:
// time is an argument, in microseconds.
#pragma once

#include <algorithm>
#include <cstdint>

namespace agora {

class RestartPause {
 public:
  unsigned after (std::int64_t lived_us) {
    return ms_ = lived_us > long_life_us ? 0 : std::clamp(2 * ms_, shortest_ms, longest_ms);
  }
  unsigned ms () const { return ms_; }

 private:
  // After one that lived this long, the pauses begin anew.
  static constexpr std::int64_t long_life_us = 10'000'000;
  static constexpr unsigned shortest_ms = 100;
  static constexpr unsigned longest_ms = 10'000;
  unsigned ms_ = 0;
};

}  // namespace agora
