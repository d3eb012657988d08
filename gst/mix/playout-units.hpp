// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the parts of PlayoutTimeline share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace agora {

// Below it nothing is heard.
inline constexpr double kInaudible = 0.003;

inline std::size_t to_frames (double ns, int rate) {
  return static_cast<std::size_t>(std::max(0.0, std::floor(ns * rate / 1e9 + 0.5)));
}

}  // namespace agora
