// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/cors.hpp"

#include <glib.h>

#include <algorithm>

namespace agora::gateway {

namespace {

// For as long as Chromium keeps such an answer at most, in seconds.
constexpr const char *preflight_holds = "7200";

bool same_text (const std::string &one, const std::string &other) {
  return g_ascii_strcasecmp(one.c_str(), other.c_str()) == 0;
}

}  // namespace

bool page_may_ask (const WebRequest &request, const std::vector<std::string> &allow_origins) {
  if (request.origin.empty())
    return true;
  // The browser knows best: behind a proxy, our own name may be another one than the page's.
  if (request.fetch_site == "same-origin" || same_text(request.origin, request.own_origin))
    return true;
  return std::any_of(allow_origins.begin(), allow_origins.end(), [&] (const std::string &good) {
    return good == "*" || same_text(good, request.origin);
  });
}

void add_cors (WebAnswer &answer, const std::string &origin) {
  answer.with("Vary", "Origin");
  if (origin.empty())
    return;
  answer.with("Access-Control-Allow-Origin", origin)
      .with("Access-Control-Expose-Headers",
            "Location, ETag, Link, Retry-After, Accept-Patch, WWW-Authenticate");
}

void add_preflight (WebAnswer &answer, const WebRequest &request, const std::string &methods) {
  if (request.origin.empty() || request.ask_method.empty())
    return;
  answer.with("Access-Control-Allow-Methods", methods)
      .with("Access-Control-Allow-Headers",
            "Authorization, Content-Type, If-Match, Last-Event-ID, Cache-Control")
      .with("Access-Control-Max-Age", preflight_holds);
}

}  // namespace agora::gateway
