// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How clients reach a media server: what media URLs begin with.
#pragma once

#include <cstdint>
#include <string>

namespace agora::gateway {

struct MediaAddress {
  std::string host;  // "": by the name under which they reach the gateway
  std::uint16_t port = 1935;
  std::string app = "live";
  std::string scheme = "rtmp";  // or "rtmps"
};

// Of a URL that was checked when the options were read. Without a port: 1935; of rtmps 443.
MediaAddress parse_media_url (const std::string &url);

}  // namespace agora::gateway
