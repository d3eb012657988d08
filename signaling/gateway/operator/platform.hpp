// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The vendor's numbers for what a member runs on.
#pragma once

#include <string_view>

namespace agora::gateway {

struct Platform {
  int platform = 0;     // 0: other
  int client_type = 0;  // with platform 6; 0: nothing more to say
};

// `client`: its own words, clientType or os.
constexpr Platform platform_of (std::string_view client) {
  if (client == "wechat")
    return {6, 8};
  if (client == "web")
    return {7, 0};
  if (client == "linux" || client == "gstreamer")
    return {6, 0};
  return {};
}

}  // namespace agora::gateway
