// SPDX-License-Identifier: LGPL-2.1-or-later
// The console: its page, and how the operator gets into it. What it shows and does is /dev/v1, as
// for any program of the operator's.
#include <gio/gio.h>

#include <algorithm>

#include "signaling/gateway/http/page-resource.hpp"
#include "signaling/gateway/operator/admin-routes.hpp"
#include "signaling/gateway/operator/json-text.hpp"

// In C, of glib-compile-resources.
extern "C" GResource *agora_console_get_resource (void);

namespace agora::gateway {

using protocol::Need;

namespace {

constexpr std::string_view console_root = "/console/";
constexpr std::string_view console_session = "/console/session";
constexpr std::string_view cookie_name = "agora-console";

// Nothing of a page comes from elsewhere, and no text in it is ever a program.
constexpr const char *console_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string set_cookie (const AdminRequest &request, std::string_view value, std::int64_t seconds) {
  // Behind a proxy that has TLS, only the browser knows of it.
  const bool secure =
      request.own_origin.starts_with("https:") || request.origin.starts_with("https:");
  return std::string(cookie_name) + "=" + std::string(value) +
         "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(seconds) +
         (secure ? "; Secure" : "");
}

AdminAnswer with_cookie (std::string cookie) {
  auto answer = admin_success(JsonText().text("status", "success").finish());
  answer.headers.emplace_back("Set-Cookie", std::move(cookie));
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

}  // namespace

std::string_view cookie_of (std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const auto end = std::min(header.find(';'), header.size());
    auto pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

// A page can't write a cookie like that one, nor can another site's page have it sent; what changes
// something has to come from this very origin all the same.
bool Admin::shows_cookie(const AdminRequest &request) const {
  if (!sessions_.good(cookie_of(request.cookie, cookie_name), request.now.mono_ms))
    return false;
  return request.method == "GET" || request.fetch_site == "same-origin" ||
         (request.fetch_site.empty() && !request.origin.empty());
}

AdminAnswer Admin::console(const AdminRequest &request) {
  if (!console_)
    return admin_failure(404, "no such path: the console is off, see --console");
  if (request.path == console_session)
    return request.method == "POST"     ? log_in(request)
           : request.method == "DELETE" ? log_out(request)
                                        : admin_not_allowed("POST, DELETE");
  if (request.method != "GET" && request.method != "HEAD")
    return admin_not_allowed("GET, HEAD");
  AdminAnswer answer;
  // So that what is relative in it is found.
  if (request.path == "/console") {
    answer.status = 307;
    answer.headers.emplace_back("Location", console_root);
    return answer;
  }
  auto name = request.path.substr(console_root.size());
  const auto page = find_page(agora_console_get_resource(), "/org/agora/console/",
                              name.empty() ? "index.html" : name);
  if (!page)
    return admin_failure(404, "no such path: the console is at /console/");
  answer.body = page->body;
  answer.type = page->type;
  answer.headers = {{"Cache-Control", "no-cache"},
                    {"Content-Security-Policy", console_policy},
                    {"X-Content-Type-Options", "nosniff"},
                    {"Referrer-Policy", "no-referrer"},
                    {"Cross-Origin-Resource-Policy", "same-origin"},
                    {"Cross-Origin-Opener-Policy", "same-origin"}};
  return answer;
}

AdminAnswer Admin::log_in(const AdminRequest &request) {
  if (is_cross_site(request))
    return admin_failure(403, "Origin, Sec-Fetch-Site: expected no page of another site");
  if (!request.body)
    return admin_failure(413, "the body is too long: expected at most " +
                                  std::to_string(kAdminBodyBytes) + " bytes");
  // Which no page's form can say.
  if (!says_json(request.content_type))
    return admin_failure(415, "Content-Type: expected application/json");
  AdminFields asked(request, false);
  const auto token = asked.text("token", Need::required);
  if (!asked.good())
    return asked.refusal();
  if (token_.empty() || !same_secret(token, token_)) {
    auto answer = admin_failure(401, "token: expected the admin token", "token");
    answer.guessed = true;
    return answer;
  }
  if (!allowance_.take(request.now.mono_ms))
    return admin_failure(429, "too many requests: try again in a second");
  return with_cookie(set_cookie(request, sessions_.open(request.now.mono_ms),
                                ConsoleSessions::lifetime_ms / 1000));
}

AdminAnswer Admin::log_out(const AdminRequest &request) {
  if (is_cross_site(request))
    return admin_failure(403, "Origin, Sec-Fetch-Site: expected no page of another site");
  sessions_.end(cookie_of(request.cookie, cookie_name));
  return with_cookie(set_cookie(request, "", 0));
}

void Admin::set_token(std::string token) {
  // They were let in by the old one.
  if (token != token_)
    sessions_.end_all();
  token_ = std::move(token);
}

}  // namespace agora::gateway
