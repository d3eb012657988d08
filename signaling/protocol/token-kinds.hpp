// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One set of functions for each token format, chosen by token.cpp. Internal to token*.cpp. `body`
// is the token without its three digits of version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "signaling/protocol/token.hpp"

namespace agora::protocol {

using TokenVerdict = std::variant<Grant, TokenError>;
using TokenReading = std::variant<TokenContent, TokenError>;

TokenVerdict verify_007 (std::string_view body, const TokenRequest &request, std::int64_t now);
TokenReading read_007 (std::string_view body);
std::string build_007 (const TokenSpec &spec, std::uint32_t salt);

TokenVerdict verify_006 (std::string_view body, const TokenRequest &request, std::int64_t now);
TokenReading read_006 (std::string_view body);
std::string build_006 (const TokenSpec &spec, std::uint32_t salt);

TokenVerdict verify_005 (std::string_view body, const TokenRequest &request, std::int64_t now);
TokenReading read_005 (std::string_view body);
std::string build_005 (const TokenSpec &spec, std::uint32_t salt);

// The last step of each: an expired token, or one that doesn't let its bearer in, is no grant.
TokenVerdict checked_grant (Grant grant, std::int64_t now);
TokenError token_invalid (std::string reason);

// "" and "0" in a token bind no uid.
inline bool binds_any_uid (std::string_view uid) {
  return uid.empty() || uid == "0";
}

}  // namespace agora::protocol
