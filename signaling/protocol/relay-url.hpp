// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Where a relay pulls a stream from, as the gateway names it:
//   rtmp://10.0.0.2:1935/live/STREAM?ARGUMENTS     rtmps://[2001:db8::2]:1936/live/STREAM?ARGUMENTS
//   rtmps://one.example.org@10.0.0.2:1936/live/STREAM?ARGUMENTS
// The address is a number: nothing here asks a name server. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace agora::relay_line {

struct RelayUrl {
  bool tls = false;
  std::string name;  // that the certificate has to be for; "": the address
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string app;
  std::string stream;
  std::string args;  // what follows the stream's '?'
  bool operator==(const RelayUrl &) const = default;
};

// Or a sentence that says what is wrong with it.
std::variant<RelayUrl, std::string> parse_relay_url (std::string_view text);

// Whether a certificate may be for it: a name of letters, digits, dots and hyphens.
bool is_host_name (std::string_view text);

// "10.0.0.2:1935", "[2001:db8::2]:1936"
std::string address_of (const RelayUrl &url);

}  // namespace agora::relay_line
