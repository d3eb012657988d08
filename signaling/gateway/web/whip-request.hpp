// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a request to WHIP (RFC 9725) or WHEP (draft-ietf-wish-whep) asks for: its path, query and
// headers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signaling/protocol/messages.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::gateway {

// A session's id in its URL: hexadecimal digits.
inline constexpr std::size_t web_id_digits = 32;

struct WebTarget {
  enum class What { endpoint, session, events, stream, call };
  What what = What::endpoint;
  web_line::Kind kind = web_line::Kind::hear;  // by the first word: whip or whep
  std::string app;                             // of an endpoint
  std::string channel;
  std::string id;       // of a session, and of what is below one
  unsigned stream = 0;  // of an event stream
};

// /whip/APP/CHANNEL, /whip/session/ID, …/events, …/events/N, …/call, and the same of /whep.
// Nothing: there is no such path.
std::optional<WebTarget> read_target (std::string_view path);

struct OfferQuery {
  protocol::Uid uid = 0;  // 0: assign one
  std::string account;
  std::string name;              // for people; "": none
  std::string member;            // the id of a session whose member it shall be
  std::uint32_t latency_ms = 0;  // 0: the default
};
// Or a sentence that says which value is wrong. Names that aren't known are passed over.
std::variant<OfferQuery, std::string> read_offer_query (std::string_view query);

// Text with %XX in it; nothing where an escape is broken, or stands for NUL. `plus`: what a plus
// sign means: itself in a path, a space in a query.
std::optional<std::string> unescape (std::string_view text, char plus);

// Whether a Content-Type names `type`; parameters don't count.
bool says_type (std::string_view content_type, std::string_view type);

struct Bearer {
  bool shown = false;
  std::string token;
};
// Nothing: the header is there, and shows no Bearer token.
std::optional<Bearer> read_bearer (std::string_view authorization);

// Of If-Match or If-None-Match (RFC 9110, 13.1): the header lists `etag`, or is "*".
bool lists_etag (std::string_view header, std::string_view etag);

// The values of a=ice-ufrag lines.
std::vector<std::string> ice_ufrags (std::string_view sdp);

// Why it is no offer at all, or nothing. The worker reads the rest.
std::optional<std::string> check_offer (std::string_view sdp);

// A list of names of events, in JSON; "" is an empty list. Nothing: it is something else.
std::optional<std::vector<std::string>> read_event_names (std::string_view body);

}  // namespace agora::gateway
