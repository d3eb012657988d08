// SPDX-License-Identifier: LGPL-2.1-or-later
// What the channel book remembers: sockets, members, channels. Plain data; the rules are in
// channel-book.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/protocol/token.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

// One membership, from join to leave; a rejoin that adopts keeps it. Random, so that the ids in
// URLs tell nothing. 0 is none.
using MemberId = std::uint64_t;
using protocol::Uid;

// One name at the media server that a member may push to.
struct PublishedStream {
  std::string stream;
  std::uint64_t grant = 0;
  std::uint64_t client = 0;  // the media server's session that pushes; 0: none
};

// What a member may play.
struct Subscription {
  MemberId publisher = 0;
  std::string stream;
  std::uint64_t grant = 0;
  std::uint64_t client = 0;  // the media server's session that plays; 0: none
  // Played before the stream moved to another name, and not given up yet; 0: none.
  std::uint64_t old_player = 0;
  std::string old_player_stream;
  bool moved = false;  // the URL changed while the member was away
  bool audio_muted = false;
  bool video_muted = false;
};

struct Channel;
struct Session;

struct Member {
  MemberId id = 0;
  Channel *channel = nullptr;
  Session *session = nullptr;  // none: in grace
  Uid uid = 0;
  std::string account;
  protocol::Role role = protocol::Role::audience;
  std::string platform;
  std::string address;
  std::string host;
  std::int64_t joined_at = 0;            // wall clock, seconds
  std::optional<protocol::Grant> grant;  // nothing: the app has no certificate
  std::int64_t warned_s = 0;             // ends up to this one have been announced
  bool audio_muted = false;
  bool video_muted = false;
  bool knows_silence = false;  // named the feature
  bool silenced = false;       // by a rule of the operator's, as was last told
  // Announced to the others: admitted once, and not given up since. Without a client it is held.
  std::optional<PublishedStream> live;
  // Handed out, and not pushed to so far. Replaces `live` once it is.
  std::optional<PublishedStream> next;
  // Was `live` until a moment ago, and is still pushed to: those who play it are on their way.
  std::optional<PublishedStream> previous;
  std::unordered_map<Uid, Subscription> subscriptions;
  std::unordered_set<MemberId> listeners;
};

struct Channel {
  std::string key;
  std::string app_id;
  std::string name;
  std::unordered_map<Uid, Member *> members;
  std::unordered_map<std::string, Uid> accounts;
  std::map<Uid, Member *> speakers;  // those with `live`
  std::size_t broadcasters = 0;
};

struct Session {
  SessionId id = 0;
  std::string address;
  std::string network;  // as limits count it
  std::string host;
  Member *member = nullptr;
  std::int64_t heard_ms = 0;
  std::int64_t join_by_ms = 0;
  TokenBucket requests{0, 0};  // what it may ask: set from the limits
};

}  // namespace agora::gateway
