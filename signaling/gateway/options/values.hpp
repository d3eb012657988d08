// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The values that options take: each text is checked, and turned into what the program uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/protocol/token.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::gateway {

struct AppOption {
  std::string id;
  std::string certificate;  // "": the app takes no tokens
};

// A literal address and a port; port 0 asks for a free one.
struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
};
std::string to_string (const Endpoint &endpoint);

// Nothing when the value was good, else what was expected.
using Problem = std::optional<std::string>;

Problem set_endpoint (Endpoint &endpoint, std::string_view text);
// An app that is there already gets the new certificate.
Problem add_app (std::vector<AppOption> &apps, std::string_view text);
Problem add_origin (std::vector<std::string> &origins, std::string_view text);
Problem set_host (std::string &host, std::string_view text);
// `schemes`: those that will do, the usual one first.
Problem set_url (std::string &url, std::string_view text, const std::vector<std::string> &schemes,
                 bool needs_path);
Problem set_store (std::string &url, std::string_view text);
Problem set_webhook (std::string &url, std::string_view text);
Problem set_bound (unsigned &bound, std::string_view text, unsigned low, unsigned high);
Problem set_token_kinds (std::vector<protocol::TokenKind> &kinds, std::string_view text);
Problem set_flag (bool &flag, std::string_view text);
// LOW-HIGH.
Problem set_ports (std::uint16_t &low, std::uint16_t &high, std::string_view text);
Problem set_address (std::string &address, std::string_view text);
// A URL of stun or turn (RFC 7064, 7065), before whose host USER:PASSWORD@ stands for turn.
Problem add_ice_server (std::vector<web_line::IceServer> &servers, std::string_view text);
Problem set_file (std::string &file, std::string_view text);

}  // namespace agora::gateway
