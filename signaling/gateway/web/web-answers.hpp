// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The answers of WHIP and WHEP: statuses by codes, and what goes into headers and bodies. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/web/http-message.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::gateway {

inline constexpr const char *sdp_type = "application/sdp";
inline constexpr const char *fragment_type = "application/trickle-ice-sdpfrag";
inline constexpr const char *web_json_type = "application/json";
// RFC 9457.
inline constexpr const char *problem_type = "application/problem+json";
// Events that a client may ask for by name. Others are told to those who ask for all.
inline constexpr const char *event_names =
    "active,inactive,joined,member-named,stream-added,stream-removed,mute-audio,unmute-audio,"
    "levels,data,silenced,unsilenced,token-privilege-will-expire,token-privilege-did-expire,"
    "client-banned,reconnecting,reconnected,ended";

// What a code of the signalling (docs/protocol.md, section 5) is in HTTP. Codes that no session
// ends with are 500.
unsigned status_of_code (int code);

// In a few words, for the first line of the answer.
const char *title_of (unsigned status);

// `code`: of the signalling; 0: none.
WebAnswer problem (unsigned status, std::string_view detail, int code = 0);
// The same, where the worker says which. `pause_ms`: until agora-web may serve again, where that is
// what is missing.
WebAnswer refusal (unsigned status, int code, std::string_view reason, bool token_shown,
                   unsigned pause_ms = 0);
WebAnswer not_found ();
WebAnswer not_allowed (const std::string &methods);
// Try again in so many seconds.
WebAnswer busy (unsigned status, unsigned seconds, std::string_view detail, int code = 0);

// A value of Link for each of the servers (RFC 9725, 4.6).
std::vector<std::string> ice_links (const std::vector<web_line::IceServer> &servers);

// A text in quotation marks, for a header (RFC 9110, 5.6.4). Control characters are left out.
std::string quoted_string (std::string_view text);

}  // namespace agora::gateway
