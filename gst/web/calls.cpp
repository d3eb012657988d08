// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/calls.hpp"

#include <algorithm>
#include <utility>

#include "signaling/protocol/json.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::web::calls {

namespace {

using protocol::Fields;
using protocol::JsonKind;
using protocol::Need;

constexpr unsigned max_depth = 4;
constexpr double max_volume = 10;

std::optional<double> volume (const protocol::JsonNode *object, Fields &fields) {
  const protocol::JsonNode *value = object->member("volume");
  if (!value || value->kind == JsonKind::null)
    return {};
  const bool number = value->kind == JsonKind::integer || value->kind == JsonKind::real;
  if (!number || !(value->real >= 0 && value->real <= max_volume)) {
    fields.fail("volume", "a number from 0 to 10");
    return {};
  }
  return value->real;
}

std::uint32_t speaker (Fields &fields) {
  const auto uid = fields.uid("uid", Need::required);
  if (uid && *uid == 0)
    fields.fail("uid", "a number from 1 to 4294967295");
  return uid.value_or(0);
}

// Each once.
std::vector<std::uint32_t> addressees (Fields &fields) {
  auto uids = fields.uids("to");
  std::sort(uids.begin(), uids.end());
  uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
  // An empty list is no word for everybody: what is meant for none is a mistake.
  if (uids.empty() || uids.size() > protocol::max_addressees || uids.front() == 0)
    fields.fail("to", "1 to 16 uids, none of them 0");
  return uids;
}

Call read (const protocol::JsonNode *object, Fields &fields) {
  const std::string name = fields.text("call", Need::required);
  if (name == "mute")
    return Mute{fields.boolean("audio", Need::required, true)};
  if (name == "set-role") {
    const std::string role = fields.text("role", Need::required);
    if (role != "broadcaster" && role != "audience")
      fields.fail("role", "\"broadcaster\" or \"audience\"");
    return SetRole{role == "broadcaster"};
  }
  if (name == "speaker") {
    Speaker call{speaker(fields), volume(object, fields), {}};
    if (fields.has("mute"))
      call.mute = fields.boolean("mute", Need::required, false);
    return call;
  }
  if (name == "subscribe" || name == "unsubscribe")
    return Subscribe{speaker(fields), name == "subscribe"};
  if (name == "latency")
    return Latency{static_cast<std::uint32_t>(
        fields.integer("ms", Need::required, 0, web_line::max_latency_ms))};
  if (name == "renew-token") {
    std::string token = fields.text("token", Need::required);
    if (token.empty() || token.size() > web_line::max_token)
      fields.fail("token", "a text of 1 to 8192 bytes");
    return RenewToken{std::move(token)};
  }
  if (name == "data") {
    Data call{fields.text("text", Need::required), {}};
    if (call.text.empty() || call.text.size() > protocol::max_data)
      fields.fail("text", "1 to 256 bytes of UTF-8");
    if (fields.has("to"))
      call.to = addressees(fields);
    return call;
  }
  if (name == "members")
    return Members{};
  if (name != "stats")
    fields.fail("call",
                "mute, set-role, speaker, subscribe, unsubscribe, latency, renew-token, data, "
                "members or stats");
  return Stats{};
}

}  // namespace

std::variant<Call, std::string> parse (std::string_view text) {
  std::string reason;
  const auto document = protocol::parse_object(text, web_line::max_call, max_depth, reason);
  if (!document)
    return reason;
  protocol::Failure failure;
  Fields fields(document->root(), "", failure);
  Call call = read(document->root(), fields);
  if (failure)
    return failure.reason;
  return call;
}

}  // namespace agora::web::calls
