// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// JSON text <-> messages.hpp. Pure: no I/O, no state, safe from any thread; whatever bytes come in,
// the result is a message or an error, never a crash. What is unknown in a frame is ignored.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "signaling/protocol/messages.hpp"

namespace agora::protocol {

// Bounds of what a decoder looks at. A frame beyond them is refused before it is parsed.
struct DecodeLimits {
  std::size_t max_bytes = 64 * 1024;
  unsigned max_depth = 16;
};

struct DecodeError {
  Code code = Code::bad_request;
  std::string reason;           // names the field and what was expected
  std::int64_t request_id = 0;  // 0: the frame had none, so that it can't be answered
  bool is_join = false;         // the frame was meant as a join
  // Where the frame had several ids: the last one, as most readers of JSON take it; 0: no other.
  std::int64_t last_request_id = 0;
};

template <typename Message>
using Decoded = std::variant<Message, DecodeError>;

Decoded<ClientMessage> decode_client (std::string_view text, const DecodeLimits &limits = {});
Decoded<ServerMessage> decode_server (std::string_view text, const DecodeLimits &limits = {});
std::string encode (const ClientMessage &message);
std::string encode (const ServerMessage &message);
// The id of a frame that isn't worth reading, to refuse it by; 0: it has none.
std::int64_t request_id_of (std::string_view text);
// An event's name on the wire.
std::string_view to_string (EventKind kind);

// Choosing a server: the HTTP exchange before the socket (docs/protocol.md, section 1).
struct ChooseRequest {
  std::string app_id;
  std::string channel;
  std::string uid;
  std::string sid;
  std::int64_t ts = 0;
};
struct ChosenServer {
  std::string address;
  std::string url;  // ours; "" from the vendor's cloud
};
struct ChooseAnswer {
  Code code = Code::ok;
  std::int64_t vid = 0;
  std::vector<ChosenServer> servers;
};
std::string encode (const ChooseRequest &request);
std::string encode (const ChooseAnswer &answer);
Decoded<ChooseRequest> decode_choose_request (std::string_view text,
                                              const DecodeLimits &limits = {});
Decoded<ChooseAnswer> decode_choose_answer (std::string_view text, const DecodeLimits &limits = {});
// The WebSocket URL of a chosen server: its `url`, or the vendor's rule over the last four labels
// of `address`. Empty when neither gives one.
std::string socket_url (const ChosenServer &server);

}  // namespace agora::protocol
