// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/srs-hook.hpp"

#include <glib.h>

#include <algorithm>

#include "signaling/protocol/json.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t max_body = 16 * 1024;
constexpr unsigned max_hook_depth = 4;
constexpr std::size_t max_name = 8;

std::optional<HookCall> srs_call_of (std::string_view action) {
  if (action == "on_publish")
    return HookCall::publish;
  if (action == "on_play")
    return HookCall::play;
  if (action == "on_unpublish")
    return HookCall::publish_done;
  if (action == "on_stop")
    return HookCall::play_done;
  return {};
}

}  // namespace

std::optional<std::uint64_t> srs_session_of (std::string_view name) {
  const bool plain =
      std::all_of(name.begin(), name.end(), [] (char c) { return g_ascii_isalnum(c) != FALSE; });
  if (name.empty() || name.size() > max_name || !plain)
    return {};
  std::uint64_t session = 0;
  for (const char c : name)
    session = session << 8 | static_cast<unsigned char>(c);
  return session;
}

std::string srs_session_name (std::uint64_t session) {
  std::string name;
  for (; session != 0; session >>= 8)
    name.insert(name.begin(), static_cast<char>(session & 0xff));
  return name;
}

std::variant<HookRequest, HookRefusal> parse_srs_hook (std::string_view body) {
  std::string reason;
  const auto document = protocol::parse_object(body, max_body, max_hook_depth, reason);
  if (!document)
    return HookRefusal{"not the JSON of a hook: " + reason};
  protocol::Failure failure;
  protocol::Fields fields(document->root(), "", failure);
  HookRequest request;
  const auto call = srs_call_of(fields.text("action", protocol::Need::required));
  const auto session = srs_session_of(fields.text("client_id", protocol::Need::required));
  request.address = fields.text("ip", protocol::Need::optional);
  request.app = fields.text("app", protocol::Need::required);
  request.stream = fields.text("stream", protocol::Need::required);
  std::string args = fields.text("param", protocol::Need::optional);
  if (failure)
    return HookRefusal{failure.reason};
  if (!call)
    return HookRefusal{"action is none of on_publish, on_play, on_unpublish, on_stop"};
  if (!session)
    return HookRefusal{"client_id is not up to eight letters and digits"};
  request.call = *call;
  request.client_id = *session;
  // The name alone tells what has ended.
  if (*call == HookCall::publish_done || *call == HookCall::play_done)
    return request;
  if (args.starts_with('?'))
    args.erase(0, 1);
  if (auto wrong = refuse_hook_args(args))
    return HookRefusal{*wrong};
  request.args = std::move(args);
  return request;
}

}  // namespace agora::gateway
