// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the gateway and its relay tell each other (docs/relay.md), as plain values, and as the JSON
// text of one packet. Pure. Both ends are of one build, but the relay reads what strangers write:
// whoever took it over must not get further by the line, so each text is bounded and checked.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signaling/protocol/line-packet.hpp"

namespace agora::relay_line {

// Longest packets, in bytes. The gateway's may hold a certificate chain and a key.
inline constexpr std::size_t max_to_relay = 64 * 1024;
inline constexpr std::size_t max_to_gateway = 4096;
// Longest texts of a session, in bytes.
inline constexpr std::size_t max_app = 128;
inline constexpr std::size_t max_stream = 256;
inline constexpr std::size_t max_args = 1024;
inline constexpr std::size_t max_address = 64;
// rtmps://NAME@IP:PORT/APP/STREAM?ARGUMENTS
inline constexpr std::size_t max_url = 1920;
// Longest reason, version and line of the log. The latter is cut, not refused.
using line::max_text;
// Streams in one packet of figures, and what their text may take. Names that the gateway made are
// short: as many as that fit.
inline constexpr std::size_t max_traffic = 24;
inline constexpr std::size_t max_traffic_bytes = 4000;
// So many ids fit one packet, whatever they are.
inline constexpr std::size_t max_ids = 200;
using line::max_number;

enum class Side { push, play };

// What the relay holds sessions to.
struct Limits {
  std::uint32_t listener_lag_ms = 1000;       // unsent media of one listener; more is left out
  std::uint32_t push_kbps = 4096;             // kbit/s that one push may send
  std::uint32_t sessions = 16384;             // connections in all
  std::uint32_t sessions_per_address = 4096;  // of one IPv4 address, or one /64 of IPv6
  std::uint32_t strangers_per_address = 256;  // of those, before they publish or play
  std::uint32_t opening_ms = 10'000;          // from a connection to its publish or play
  std::uint32_t idle_push_ms = 4000;          // a push that sends nothing is ended
  // Pulls of one origin that are opened at once: to it, each is a stranger until it plays.
  std::uint32_t opening_pulls = 128;
  bool operator==(const Limits &) const = default;
};

// Gateway to relay.

// The first message, and again whenever something of it changes.
struct Configure {
  std::string app;
  Limits limits;
  std::string certificate;  // PEM; both "" without RTMPS
  std::string key;
  std::uint32_t report_ms = 0;  // how often Traffic tells of a stream at most; 0: never
  bool operator==(const Configure &) const = default;
};
// The authorities that origins' certificates are checked by (PEM). Before the first pull by RTMPS,
// and again whenever they change.
struct Trust {
  std::string authorities;
  bool operator==(const Trust &) const = default;
};
// Of one Ask, by its id.
struct Answer {
  std::uint64_t id = 0;
  bool allow = false;
  std::string reason;  // for the peer's eyes; "" where it is allowed
  // Of a play: where the stream is to be pulled from, unless it is pushed here. "": it isn't
  // pulled. rtmp:// or rtmps://, with a numeric address.
  std::string relay_from;
  // The name that it pushes or plays, where that is another one than it asked for: who plays a push
  // must not learn a stream key. "": the one that it asked for. A play of another name is a steady
  // one: it may be moved, and notices nothing of pushes that end and begin.
  std::string stream;
  bool operator==(const Answer &) const = default;
};
// Cut at once; Dropped follows when it is done.
struct Drop {
  std::uint64_t ticket = 0;
  Side side = Side::push;
  std::string stream;
  std::uint64_t id = 0;  // 0: every session of that side of the stream
  bool operator==(const Drop &) const = default;
};
// Of a steady play that was allowed: it plays this name from now on.
struct Move {
  std::uint64_t id = 0;
  std::string stream;
  bool operator==(const Move &) const = default;
};
struct Ping {
  std::uint64_t n = 0;
  bool operator==(const Ping &) const = default;
};
struct ListSessions {
  std::uint64_t n = 0;
  bool operator==(const ListSessions &) const = default;
};
// A socket comes with it, unless there is a reason: the connection by which the stream is pulled.
// It may still be connecting.
struct Link {
  std::uint64_t n = 0;  // the Dial's; 0: to another worker of this gateway, which the stream is at
  std::string stream;
  std::string reason;  // why there is none
  bool operator==(const Link &) const = default;
};
// A socket comes with it: another worker's, which plays what it likes, and isn't asked for.
struct Guest {
  bool operator==(const Guest &) const = default;
};
using ToRelay = std::variant<Configure, Trust, Answer, Drop, Move, Ping, ListSessions, Link, Guest>;

// Relay to gateway.

// It listens.
struct Ready {
  std::string version;
  bool operator==(const Ready &) const = default;
};
// May somebody push or play? The id is the session's number, from 1, never used twice by one
// relay.
struct Ask {
  std::uint64_t id = 0;
  Side side = Side::push;
  std::string app;
  std::string stream;  // without what follows a '?'
  std::string args;    // what follows it
  std::string address;
  bool operator==(const Ask &) const = default;
};
// A session that was asked for has ended, whether it was allowed or not yet answered.
struct Done {
  std::uint64_t id = 0;
  Side side = Side::push;
  std::string stream;
  bool operator==(const Done &) const = default;
};
// Why connections were turned away.
enum class Refusal {
  full,      // too many connections in all, or descriptors are out
  address,   // too many of one address
  deadline,  // no publish or play in time
  protocol,  // broke a rule of RTMP, or of its bounds
  denied,    // the gateway said no
  rate,      // a push above its bit rate
  tls,       // its handshake failed
};
inline constexpr std::size_t refusals = 7;
std::string_view to_string (Refusal why);

// Since the relay's start, where it isn't of the moment.
struct Counters {
  std::uint64_t connections = 0;  // of the moment, strangers included
  std::uint64_t pushes = 0;       // of the moment
  std::uint64_t listeners = 0;    // of the moment
  std::uint64_t pulls = 0;        // of the moment
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t dropped_frames = 0;               // left out for listeners that fell behind
  std::uint64_t lag_ms = 0;                       // longest turn of its loop since the last pong
  std::uint64_t fds = 0;                          // descriptors in use
  std::uint64_t pulls_ended = 0;                  // for want of listeners, or of the gateway's will
  std::uint64_t pulls_failed = 0;                 // for good
  std::array<std::uint64_t, refusals> refused{};  // by Refusal
  bool operator==(const Counters &) const = default;
};
struct Pong {
  std::uint64_t n = 0;  // the ping's
  Counters counters;
  bool operator==(const Pong &) const = default;
};
// The ids of all sessions that were allowed and haven't ended, in as many packets as they need.
struct Sessions {
  std::uint64_t n = 0;             // the question's
  std::vector<std::uint64_t> ids;  // at most max_ids
  bool last = false;
  bool operator==(const Sessions &) const = default;
};
struct Dropped {
  std::uint64_t ticket = 0;
  bool operator==(const Dropped &) const = default;
};
// It wants a connection to there, for a stream that is to be pulled. Link answers it. The relay can
// make none by itself.
struct Dial {
  std::uint64_t n = 0;  // from 1
  std::string stream;
  std::string address;  // IP:PORT of a relay_from
  bool operator==(const Dial &) const = default;
};
// The origin has accepted the pull.
struct Pulled {
  std::string stream;
  bool operator==(const Pulled &) const = default;
};
// It has failed for good. Its listeners are cut, unless it came from another worker.
struct PullFailed {
  std::string stream;
  std::string reason;
  bool operator==(const PullFailed &) const = default;
};
// What passed through streams since each was told of last: those alone of which there is news. What
// goes to another worker isn't counted, nor what comes from one.
struct StreamTraffic {
  std::string stream;
  // Payload: sound, picture and metadata, without what RTMP adds.
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;      // to all of its listeners
  std::uint64_t dropped_frames = 0;  // left out for those that fell behind
  std::uint64_t cut_listeners = 0;   // those that read nothing any more
  // Of the slowest listener at worst: from the oldest frame that waits for it to the newest.
  std::uint64_t lag_ms = 0;
  bool operator==(const StreamTraffic &) const = default;
};
struct Traffic {
  std::vector<StreamTraffic> streams;  // at most max_traffic
  bool operator==(const Traffic &) const = default;
};
// What a stream of this name takes of a packet, whatever its figures are.
std::size_t traffic_size (std::string_view stream);
enum class Level { info, warning };
struct Log {
  Level level = Level::info;
  std::string text;
  bool operator==(const Log &) const = default;
};
using ToGateway =
    std::variant<Ready, Ask, Done, Pong, Sessions, Dropped, Dial, Pulled, PullFailed, Traffic, Log>;

// The text of one packet. Nothing where a text is no UTF-8, holds a NUL or is too long: whoever
// sent it is to be refused. A Log is made to fit.
std::optional<std::string> encode (const ToRelay &message);
std::optional<std::string> encode (const ToGateway &message);

// What one packet says, or a sentence that says why it says nothing.
std::variant<ToRelay, std::string> decode_to_relay (std::string_view packet);
std::variant<ToGateway, std::string> decode_to_gateway (std::string_view packet);

}  // namespace agora::relay_line
