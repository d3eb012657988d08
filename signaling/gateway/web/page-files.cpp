// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/page-files.hpp"

#include <gio/gio.h>

#include <string_view>

#include "signaling/gateway/http/page-resource.hpp"
#include "signaling/gateway/web/web-answers.hpp"
#include "signaling/gateway/web/whip-request.hpp"

// In C, of glib-compile-resources.
extern "C" GResource *agora_page_get_resource (void);

namespace agora::gateway {

namespace {

constexpr std::string_view root = "/web/";
constexpr const char *methods = "GET, HEAD, OPTIONS";

// What a page of ours may load and do, should somebody smuggle something into it.
constexpr const char *policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob: mediastream:; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

void add_safety (WebAnswer &answer, bool page) {
  answer
      .with("X-Content-Type-Options", "nosniff")
      // A link may hold a token.
      .with("Referrer-Policy", "no-referrer")
      // Pages of other sites may use the modules; there is nothing secret in them.
      .with("Access-Control-Allow-Origin", "*")
      .with("Cross-Origin-Resource-Policy", "cross-origin");
  if (page)
    answer.with("Content-Security-Policy", policy)
        .with("Permissions-Policy", "microphone=(self), camera=(), geolocation=()");
}

}  // namespace

WebAnswer page_file (const WebRequest &request) {
  WebAnswer answer;
  if (request.method == "OPTIONS") {
    answer.with("Allow", methods);
    add_safety(answer, false);
    return answer;
  }
  if (request.method != "GET" && request.method != "HEAD")
    return not_allowed(methods);
  // So that what is relative in it is found.
  if (request.path == "/web") {
    answer.status = status::temporary_redirect;
    return answer.with("Location",
                       std::string(root) + (request.query.empty() ? "" : "?" + request.query));
  }
  if (!request.path.starts_with(root))
    return not_found();
  auto name = request.path.substr(root.size());
  if (name.empty())
    name = "index.html";
  const auto page = find_page(agora_page_get_resource(), "/org/agora/page/", name);
  if (!page)
    return not_found();
  // Asked for each time, and mostly answered with 304: a new gateway has a new page.
  answer.with("ETag", page->etag).with("Cache-Control", "no-cache");
  add_safety(answer, name.ends_with(".html"));
  if (!request.if_none_match.empty() && lists_etag(request.if_none_match, page->etag)) {
    answer.status = status::not_modified;
    return answer;
  }
  answer.type = page->type;
  answer.body = page->body;
  return answer;
}

}  // namespace agora::gateway
