// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What `agora-gateway top` shows, line by line: the page's gateway-state.js and channels.js in C++.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "signaling/gateway/top/live-state.hpp"

namespace agora::gateway {

struct ShownLine {
  enum class Look { plain, strong, alarm };
  std::string text;  // harmless
  Look look = Look::plain;
};

// For as much as the widest line takes.
constexpr std::size_t any_width = static_cast<std::size_t>(-1);

// Where a terminal doesn't show all letters, without `unicode`.
struct Canvas {
  std::size_t width = any_width;
  bool unicode = true;
};

// The gateway's own state, after at least one event.
std::vector<ShownLine> gateway_lines (const LiveState &live, const std::string &where,
                                      Canvas canvas);

struct Table {
  ShownLine head;
  std::vector<ShownLine> rows;
};

// Channels and their members. Of columns that don't fit, the last are left out.
Table channel_table (const LiveState &live, Canvas canvas);

}  // namespace agora::gateway
