// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>

#include <algorithm>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::protocol {
namespace {

DecodeError to_error (const Failure &failure) {
  return {failure.code, failure.reason, 0, false};
}

// Both directions wrap a JSON text into a JSON object.
JsonDocumentPtr open_inner (std::string_view text, const DecodeLimits &limits, Failure &failure) {
  JsonDocumentPtr outer = parse_object(text, limits.max_bytes, limits.max_depth, failure.reason);
  if (!outer)
    return nullptr;
  Fields fields(outer->root(), "", failure);
  std::string inner = fields.text("json_body", Need::required);
  if (failure)
    return nullptr;
  JsonDocumentPtr node = parse_object(inner, limits.max_bytes, limits.max_depth, failure.reason);
  if (!node)
    failure.reason = "json_body: " + failure.reason;
  return node;
}

bool is_label (std::string_view label) {
  return !label.empty() && std::all_of(label.begin(), label.end(),
                                       [] (char c) { return g_ascii_isalnum(c) || c == '-'; });
}

}  // namespace

Decoded<ChooseRequest> decode_choose_request (std::string_view text, const DecodeLimits &limits) {
  Failure failure;
  JsonDocumentPtr inner = open_inner(text, limits, failure);
  if (!inner)
    return to_error(failure);
  Fields fields(inner->root(), "json_body.", failure);
  std::string command = fields.text("command", Need::required);
  if (!failure && command != "convergeAllocateEdge")
    fields.fail("command", "\"convergeAllocateEdge\", not " + quoted(command));
  ChooseRequest request;
  request.app_id = fields.text("appId", Need::required);
  request.channel = fields.text("cname", Need::optional);
  request.uid = fields.text_or_number("uid", Need::optional);
  request.sid = fields.text("sid", Need::optional);
  request.ts = fields.integer("ts", Need::optional, 0, G_MAXINT64);
  if (failure)
    return to_error(failure);
  return request;
}

Decoded<ChooseAnswer> decode_choose_answer (std::string_view text, const DecodeLimits &limits) {
  Failure failure;
  JsonDocumentPtr inner = open_inner(text, limits, failure);
  if (!inner)
    return to_error(failure);
  Fields fields(inner->root(), "json_body.", failure);
  ChooseAnswer answer;
  answer.code = static_cast<Code>(fields.integer("code", Need::required, G_MININT32, G_MAXINT32));
  answer.vid = fields.integer("vid", Need::optional, 0, G_MAXINT64);
  const JsonNode *servers =
      fields.array("servers", answer.code == Code::ok ? Need::required : Need::optional);
  const JsonNode *end = servers != nullptr ? servers->end() : nullptr;
  for (const JsonNode *item = servers != nullptr ? servers->begin() : end; item != end;
       item = item->next()) {
    if (item->kind != JsonKind::object) {
      fields.fail("servers", "a list of objects");
      break;
    }
    Fields server(item, "json_body.servers.", failure);
    answer.servers.push_back(
        {server.text("address", Need::optional), server.text("url", Need::optional)});
  }
  if (failure)
    return to_error(failure);
  return answer;
}

std::string socket_url (const ChosenServer &server) {
  if (!server.url.empty())
    return server.url;
  std::string name;
  std::string_view rest = server.address;
  for (int labels = 0; labels < 4; ++labels) {
    std::size_t dot = rest.rfind('.');
    std::string_view label = dot == std::string_view::npos ? rest : rest.substr(dot + 1);
    if (!is_label(label) || (dot == std::string_view::npos && labels < 3))
      return {};
    name.insert(0, labels == 0 ? "" : "-").insert(0, label);
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(0, dot);
  }
  return "wss://miniapp.agoraio.cn/" + name + "/api";
}

}  // namespace agora::protocol
