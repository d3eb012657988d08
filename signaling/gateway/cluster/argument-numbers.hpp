// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Numbers in the texts of operations, as a script's tonumber() reads them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "signaling/gateway/cluster/record.hpp"

namespace agora::gateway::cluster {

inline std::int64_t number (std::string_view text) {
  return static_cast<std::int64_t>(parse_number(text).value_or(0));
}

inline std::size_t most (std::string_view text) {
  return static_cast<std::size_t>(number(text));
}

}  // namespace agora::gateway::cluster
