// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A request and its answer, without libsoup: what the parts around WHIP and WHEP are tested with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agora::gateway {

struct WebRequest {
  std::string method;
  std::string path;   // still percent-encoded: a channel's name may hold a slash
  std::string query;  // the same; without the question mark
  // Headers; "" where there is none. Several of one name come as one text.
  std::string authorization;
  std::string content_type;
  std::string if_match;
  std::string if_none_match;
  std::string origin;
  std::string fetch_site;  // Sec-Fetch-Site
  std::string ask_method;  // Access-Control-Request-Method
  std::string own_origin;  // as the client reached us: http://HOST[:PORT]
  std::string_view body;
  std::string address;  // of the peer
  std::string network;  // what it counts as, for limits by address
  std::int64_t mono_ms = 0;
};

struct WebAnswer {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string type;  // of the body; "": there is none
  std::string body;

  WebAnswer &with (std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

// Statuses that libsoup has no name for, beside those that it has.
namespace status {
inline constexpr unsigned ok = 200;
inline constexpr unsigned created = 201;
inline constexpr unsigned no_content = 204;
inline constexpr unsigned not_modified = 304;
inline constexpr unsigned temporary_redirect = 307;
inline constexpr unsigned bad_request = 400;
inline constexpr unsigned unauthorized = 401;
inline constexpr unsigned forbidden = 403;
inline constexpr unsigned not_found = 404;
inline constexpr unsigned method_not_allowed = 405;
inline constexpr unsigned conflict = 409;
inline constexpr unsigned precondition_failed = 412;
inline constexpr unsigned too_large = 413;
inline constexpr unsigned unsupported_type = 415;
inline constexpr unsigned unprocessable = 422;
inline constexpr unsigned precondition_required = 428;
inline constexpr unsigned too_many = 429;
inline constexpr unsigned internal = 500;
inline constexpr unsigned unavailable = 503;
inline constexpr unsigned timed_out = 504;
}  // namespace status

}  // namespace agora::gateway
