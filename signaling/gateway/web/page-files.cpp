// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/page-files.hpp"

#include <gio/gio.h>

#include <string_view>

#include "signaling/gateway/web/web-answers.hpp"
#include "signaling/gateway/web/whip-request.hpp"
#include "signaling/support/glib-ptr.hpp"

// In C, of glib-compile-resources.
extern "C" GResource *agora_page_get_resource (void);

namespace agora::gateway {

namespace {

constexpr std::string_view root = "/web/";
constexpr const char *methods = "GET, HEAD, OPTIONS";

struct Type {
  std::string_view ending;
  const char *type;
};
// Browsers take no module of another type.
constexpr Type types[] = {{".html", "text/html; charset=utf-8"},
                          {".js", "text/javascript; charset=utf-8"},
                          {".css", "text/css; charset=utf-8"},
                          {".svg", "image/svg+xml"},
                          {".png", "image/png"},
                          {".json", "application/json"},
                          {".webmanifest", "application/manifest+json"}};

const char *type_of (std::string_view name) {
  for (const auto &[ending, type] : types)
    if (name.ends_with(ending))
      return type;
  return "text/plain; charset=utf-8";
}

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
  // Names as they are: none of ours needs an escape, and nothing is looked for in a file system.
  // GIO would take a name with a slash at its end, too.
  const bool plain = name.find('/') == std::string::npos;
  const BytesPtr bytes(plain ? g_resource_lookup_data(agora_page_get_resource(),
                                                      ("/org/agora/page/" + name).c_str(),
                                                      G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr)
                             : nullptr);
  if (!bytes)
    return not_found();
  gsize size = 0;
  const auto *data = static_cast<const char *>(g_bytes_get_data(bytes.get(), &size));
  constexpr std::size_t digits = 32;
  const CharPtr sum(g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes.get()));
  const auto etag = '"' + std::string(sum.get()).substr(0, digits) + '"';
  // Asked for each time, and mostly answered with 304: a new gateway has a new page.
  answer.with("ETag", etag).with("Cache-Control", "no-cache");
  add_safety(answer, name.ends_with(".html"));
  if (!request.if_none_match.empty() && lists_etag(request.if_none_match, etag)) {
    answer.status = status::not_modified;
    return answer;
  }
  answer.type = type_of(name);
  answer.body.assign(data, size);
  return answer;
}

}  // namespace agora::gateway
