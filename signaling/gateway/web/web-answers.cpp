// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/web-answers.hpp"

#include <glib.h>
#include <libsoup/soup-status.h>

#include <algorithm>

#include "signaling/protocol/json-writer.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

using protocol::Code;

namespace {

constexpr const char *scheme = "Bearer realm=\"agora\"";

}  // namespace

const char *title_of (unsigned status) {
  switch (status) {  // those that libsoup has no words for
    case status::unprocessable:
      return "Unprocessable Content";
    case status::precondition_required:
      return "Precondition Required";
    case status::too_many:
      return "Too Many Requests";
    default:
      return soup_status_get_phrase(status);
  }
}

unsigned status_of_code (int code) {
  switch (static_cast<Code>(code)) {
    case Code::app_invalid:
      return status::not_found;
    case Code::token_expired:
    case Code::token_invalid:
    case Code::token_unexpected:
    case Code::token_missing:
      return status::unauthorized;
    case Code::bad_request:
    case Code::bad_order:
    case Code::not_joined:
      return status::bad_request;
    case Code::bad_role_or_uid:
    case Code::not_publishing:
      return status::conflict;
    case Code::not_permitted:
      return status::forbidden;
    case Code::too_many:
    case Code::service_lost:
    case Code::overloaded:
    case Code::drain:
    case Code::no_server:
    case Code::socket_gone:
    case Code::unreachable:
      return status::unavailable;
    case Code::timeout:
      return status::timed_out;
    case Code::ok:
    case Code::internal:
    case Code::no_request_id:
      break;
  }
  return status::internal;
}

WebAnswer problem (unsigned status, std::string_view detail, int code) {
  WebAnswer answer;
  answer.status = status;
  answer.type = problem_type;
  const CharPtr valid(g_utf8_make_valid(detail.data(), static_cast<gssize>(detail.size())));
  protocol::JsonWriter json;
  json.text("title", title_of(status)).integer("status", status).text("detail", valid.get());
  if (code != 0)
    json.integer("code", code);
  answer.body = json.finish() + "\n";
  return answer;
}

WebAnswer refusal (unsigned status, int code, std::string_view reason, bool token_shown,
                   unsigned pause_ms) {
  constexpr unsigned lowest = 400;
  constexpr unsigned highest = 599;
  // While there is no room.
  constexpr unsigned try_again_s = 2;
  if (status < lowest || status > highest)
    status = status_of_code(code);
  if (status == status::unavailable && static_cast<Code>(code) == Code::service_lost)
    return busy(status, std::max((pause_ms + 999) / 1000, 1U), reason, code);
  if (status == status::unavailable)
    return busy(status, try_again_s, reason, code);
  auto answer = problem(status, reason, code);
  // RFC 6750, 3: no error is named to who showed nothing.
  if (status == status::unauthorized)
    answer.with("WWW-Authenticate",
                std::string(scheme) + (token_shown ? ", error=\"invalid_token\"" : ""));
  return answer;
}

WebAnswer not_found () {
  return problem(status::not_found, "no such session or path");
}

WebAnswer not_allowed (const std::string &methods) {
  auto answer = problem(status::method_not_allowed, "method: expected one of " + methods);
  answer.with("Allow", methods);
  return answer;
}

WebAnswer busy (unsigned status, unsigned seconds, std::string_view detail, int code) {
  auto answer = problem(status, detail, code);
  answer.with("Retry-After", std::to_string(seconds));
  return answer;
}

std::string quoted_string (std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      continue;
    if (c == '"' || c == '\\')
      quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::vector<std::string> ice_links (const std::vector<web_line::IceServer> &servers) {
  std::vector<std::string> links;
  for (const auto &server : servers) {
    auto link = "<" + server.url + ">; rel=\"ice-server\"";
    if (!server.username.empty())
      link += "; username=" + quoted_string(server.username) +
              "; credential=" + quoted_string(server.credential) + "; credential-type=\"password\"";
    links.push_back(std::move(link));
  }
  return links;
}

}  // namespace agora::gateway
