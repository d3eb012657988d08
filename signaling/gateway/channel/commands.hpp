// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the channel book is told and what it orders: plain values, no I/O. The I/O side executes the
// commands of one call in their order.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/protocol/token.hpp"

namespace agora::gateway {

// One WebSocket, for as long as it is open; never used twice. 0 is none.
using SessionId = std::uint64_t;

// By which listener a socket came.
enum class Entrance {
  front,    // a client's own
  web,      // a browser's member, brought by a worker of agora-web
  mix,      // a worker's ear for all who only listen: a member that nobody sees
  encoder,  // by none: it pushes by a stream key, and has no socket
};

// Both clocks of one moment: the monotonic one drives timers, the wall clock ends tokens and URLs.
struct Now {
  std::int64_t mono_ms = 0;
  std::int64_t wall_s = 0;  // seconds since the published
};

enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,  // drain
  policy = 1008,      // flood
  replaced = 4001,    // another device took the uid
  banned = 4002,
  silent = 4003,        // no frame for too long
  never_joined = 4004,  // connected, or left, and then didn't join in time
  try_later = 4005,     // too many sockets; libsoup can't send 1013
};

// Encode once, send to each. `to` is never empty.
struct Send {
  std::vector<SessionId> to;
  protocol::ServerMessage message;
};

// After what was sent before has gone out. The session is over for the channel book: it ignores
// what still comes from it, and disconnected() may follow or not.
struct Close {
  SessionId session = 0;
  CloseCode code = CloseCode::normal;
  std::string reason;
};

// relay: another gateway's relay gets the stream for those who play it there.
enum class Direction { push, play, relay };

// The socket has a member now.
struct Joined {
  SessionId session = 0;
};

// Cut RTMP sessions at the media server.
struct DropMedia {
  std::string stream;
  Direction direction = Direction::push;
  std::uint64_t client_id = 0;  // the media server's; 0: every session of that side of the stream
};

// A play by a play key is of another name from now on.
struct MovePlay {
  std::uint64_t client_id = 0;  // the media server's
  std::string stream;
};

// agora-web is to push a channel's mix, until the same with the URL "".
struct OrderFeed {
  std::uint64_t feed = 0;
  std::string app_id;
  std::string channel;
  std::string url;  // to be pushed to; a secret
};

// What happened, for webhooks, metrics and logs.
enum class NoticeKind {
  channel_created,
  channel_destroyed,
  member_in,
  member_out,
  role_changed,
  stream_added,
  stream_removed,
  member_silenced,  // a rule of the operator's on its voice begins
  member_unsilenced,
};
// Numbers as webhooks carry them.
enum class LeaveReason { other = 0, normal = 1, silent = 2, banned = 3, drain = 4, replaced = 5 };

struct Notice {
  NoticeKind kind = NoticeKind::channel_created;
  std::string app_id;
  std::string channel;
  protocol::Uid uid = 0;
  std::string account;  // "" for an integer uid
  protocol::Role role = protocol::Role::audience;
  std::string platform;                     // the client's own words: clientType, or os
  LeaveReason reason = LeaveReason::other;  // member_out
  std::int64_t at = 0;                      // wall clock, seconds
  std::int64_t joined_at = 0;               // wall clock, seconds
};

// An app was let in by a token of an old kind, for the first time.
struct OldToken {
  std::string app_id;
  protocol::TokenKind kind = protocol::TokenKind::access_token_006;
};

// Of the store that gateways share: stored() follows, and brings the answer.
struct Ask {
  std::uint64_t ticket = 0;
  cluster::Operation operation;
};

// heard() is told what is published under the topic from the moment on that subscribed() names it;
// or is so no more.
struct Watch {
  std::string topic;
  bool on = true;
};

// What an operator asked of all gateways, by its ticket. `away`: the store doesn't tell.
struct Answered {
  std::uint64_t ticket = 0;
  cluster::Answer answer;
};

// What came from the store and can't be a gateway's: for the log.
struct Odd {
  std::string what;
};

using Command = std::variant<Send, Close, Joined, DropMedia, MovePlay, OrderFeed, Notice, OldToken,
                             Ask, Watch, Answered, Odd>;
using Commands = std::vector<Command>;

}  // namespace agora::gateway
