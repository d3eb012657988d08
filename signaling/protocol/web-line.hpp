// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the gateway and a worker of agora-web tell each other, as plain values, and as
// the JSON text of one packet. Pure. Both ends are of one build, but the worker reads what
// strangers write: whoever took it over must not get further by the line, so each text is bounded
// and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signaling/protocol/line-packet.hpp"
#include "signaling/protocol/messages.hpp"

namespace agora::web_line {

using line::max_number;
using line::max_text;
using protocol::Uid;

// The descriptor that the line has in the worker.
inline constexpr int worker_fd = 3;

// Longest packet, either way, in bytes.
inline constexpr std::size_t max_packet = 128 * 1024;
// Longest texts, in bytes.
inline constexpr std::size_t max_sdp = 64 * 1024;
inline constexpr std::size_t max_fragment = 16 * 1024;  // of a trickle
inline constexpr std::size_t max_call = 16 * 1024;      // of a call
inline constexpr std::size_t max_called = 48 * 1024;    // of its answer
inline constexpr std::size_t max_event = 32 * 1024;     // an event's data
inline constexpr std::size_t max_name = 64;             // an event's name
inline constexpr std::size_t max_app = 256;
inline constexpr std::size_t max_channel = 256;
inline constexpr std::size_t max_account = 1024;
inline constexpr std::size_t max_display_name = 4 * protocol::max_name;
inline constexpr std::size_t max_token = 8192;
inline constexpr std::size_t max_address = 64;
inline constexpr std::size_t max_url = 1024;
inline constexpr std::size_t max_ice_servers = 16;
// The longest latency that may be asked for.
inline constexpr std::uint32_t max_latency_ms = 10'000;

// Whether it can be an SDP, or a piece of one: not too long, UTF-8, and of control characters CR,
// LF and TAB alone. What isn't is no text for the line.
bool is_sdp_text (std::string_view text, std::size_t max = max_sdp);

enum class Kind { speak, hear };

struct IceServer {
  std::string url;  // stun:HOST[:PORT], turn: or turns:HOST[:PORT][?transport=udp|tcp]
  std::string username;
  std::string credential;
  bool operator==(const IceServer &) const = default;
};

// What a worker holds sessions to.
struct Limits {
  std::uint32_t sessions = 1000;      // of this worker
  std::uint32_t opening_ms = 15'000;  // from the offer to a connected peer
  std::uint32_t silence_ms = 10'000;  // a peer from whom nothing has come for so long is gone
  bool operator==(const Limits &) const = default;
};

// Gateway to worker.

// The first message, once.
struct Configure {
  std::string gateway;  // ws://127.0.0.1:PORT/worker/SECRET: /member?address=… or /mix follow
  std::vector<IceServer> ice_servers;
  std::uint32_t rtp_low = 0;  // ports for media, with their ends; 0 both: the system's choice
  std::uint32_t rtp_high = 0;
  std::string public_ip;  // by which peers reach this machine; "": its own addresses
  Limits limits;
  bool operator==(const Configure &) const = default;
};
// A peer wants to speak or hear. Answer or Refuse follows.
struct Offer {
  std::uint64_t session = 0;  // from 1, never used twice by one gateway
  Kind kind = Kind::hear;
  std::uint64_t member = 0;  // the session whose member this one is of, too; 0: a member of its own
  std::string app;
  std::string channel;
  std::string token;             // "": none
  Uid uid = 0;                   // 0: assign one
  std::string account;           // "": none
  std::string name;              // for people; "": none
  std::uint32_t latency_ms = 0;  // 0: the default, adaptive
  std::string address;           // the browser's
  std::string sdp;
  bool operator==(const Offer &) const = default;
};
// application/trickle-ice-sdpfrag. Trickled follows.
struct Trickle {
  std::uint64_t session = 0;
  std::uint64_t number = 0;  // of this call, for its answer
  std::string fragment;
  bool operator==(const Trickle &) const = default;
};
// JSON text. Called follows.
struct Call {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::string text;
  bool operator==(const Call &) const = default;
};
// At once; nothing follows for this session, and what is under way is to be ignored.
struct End {
  std::uint64_t session = 0;
  bool operator==(const End &) const = default;
};
// Whether somebody reads the session's events. The others are told in any case; `levels`, ten a
// second, only while it is so.
struct Listen {
  std::uint64_t session = 0;
  bool on = false;
  bool operator==(const Listen &) const = default;
};
// The channel's mix is to be pushed to the URL, and again where that ends, until the same with the
// URL "".
struct Feed {
  std::uint64_t feed = 0;  // from 1, never used twice by one gateway
  std::string app;
  std::string channel;
  std::string url;  // of RTMP; a secret
  bool operator==(const Feed &) const = default;
};
struct Ping {
  std::uint64_t n = 0;
  bool operator==(const Ping &) const = default;
};
using ToWorker = std::variant<Configure, Offer, Trickle, Call, End, Listen, Feed, Ping>;

// Worker to gateway.

// It has warmed up.
struct Ready {
  std::string version;
  bool operator==(const Ready &) const = default;
};
// It can't serve, and why; it exits then. The text is for the operator.
struct Unable {
  std::string reason;
  bool operator==(const Unable &) const = default;
};
struct Answer {
  std::uint64_t session = 0;
  Uid uid = 0;
  std::string sdp;
  bool operator==(const Answer &) const = default;
};
// In place of an answer; the session has ended.
struct Refuse {
  std::uint64_t session = 0;
  std::uint32_t status = 0;  // of HTTP; 0: by the code
  std::int32_t code = 0;     // protocol::Code, 0: none
  std::string reason;
  bool operator==(const Refuse &) const = default;
};
struct Trickled {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::uint32_t status = 0;  // of HTTP
  std::string reason;        // "" where it is good
  bool operator==(const Trickled &) const = default;
};
struct Called {
  std::uint64_t session = 0;
  std::uint64_t number = 0;
  std::uint32_t status = 0;
  std::string text;  // JSON
  bool operator==(const Called &) const = default;
};
struct Event {
  std::uint64_t session = 0;
  std::string name;
  std::string text;  // JSON
  bool operator==(const Event &) const = default;
};
// A session that was answered has ended by itself.
struct Ended {
  std::uint64_t session = 0;
  std::int32_t code = 0;
  std::string reason;
  bool operator==(const Ended &) const = default;
};
// Of the moment.
struct Pong {
  std::uint64_t n = 0;  // the ping's
  std::uint64_t members = 0;
  std::uint64_t sessions = 0;
  std::uint64_t threads = 0;
  std::uint64_t fds = 0;
  bool operator==(const Pong &) const = default;
};
using ToGateway = std::variant<Ready, Unable, Answer, Refuse, Trickled, Called, Event, Ended, Pong>;

// The text of one packet. Nothing where a text can't travel (too long, no UTF-8, NUL; in an SDP or
// a fragment other control characters): whoever sent it is to be refused. Reasons and versions are
// made to fit.
std::optional<std::string> encode (const ToWorker &message);
std::optional<std::string> encode (const ToGateway &message);

// What one packet says, or a sentence that says why it says nothing.
std::variant<ToWorker, std::string> decode_to_worker (std::string_view packet);
std::variant<ToGateway, std::string> decode_to_gateway (std::string_view packet);

}  // namespace agora::web_line
