// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the channel book is told when it is made.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signaling/protocol/token.hpp"

namespace agora::gateway {

struct Times {
  std::int64_t grace_ms = 10'000;             // a lost socket's member lives on
  std::int64_t hold_ms = 3'000;               // a lost push is not yet announced as gone
  std::int64_t silence_ms = 10'000;           // a member without a frame is closed
  std::int64_t join_ms = 10'000;              // from connecting to joining
  std::int64_t idle_ms = 60'000;              // from leaving to joining again
  std::int64_t previous_ms = 1'000;           // a push that has moved stays at its old name
  std::int64_t recoded_ms = 6'000;            // the same where the new name is of other codecs
  std::int64_t unwanted_ms = 5'000;           // a codec stays wanted without a listener
  std::int64_t old_player_ms = 5'000;         // a player stays on the old name of what has moved
  std::int64_t orphan_ms = 5'000;             // what a member plays here after it went elsewhere
  std::int64_t feed_ms = 10'000;              // a mix for players goes on without one
  std::int64_t warn_s = 30;                   // key-will-expire before the end
  std::int64_t url_lifetime_s = 30 * 86'400;  // of a URL at most; it dies earlier with its member
};

// 0 is: no limit.
struct Limits {
  unsigned requests_per_second = 50;
  unsigned request_burst = 100;
  unsigned unjoined_per_second = 500;  // requests from one address, of sockets that haven't joined
  unsigned sockets_per_address = 1'000;
  // What the members of one channel are told of each other, one event per receiver; bursts of a
  // quarter pass. Beyond it, changes of one member are folded into the last.
  unsigned events_per_second = 25'000;
  // And of one member: streams that come and go, mutes. Bursts of eight times as many pass.
  unsigned changes_per_second = 1;
  unsigned members_per_channel = 20'000;
  unsigned channels_per_app = 10'000;
  unsigned members = 0;  // of all channels together; beyond it the gateway is overloaded
};

using Random = std::function<void(std::span<std::uint8_t>)>;
using VerifyToken = std::function<std::variant<protocol::Grant, protocol::TokenError>(
    std::string_view token, const protocol::TokenRequest &request, std::int64_t wall_s)>;

// One gateway of several that share a store.
struct ClusterConfig {
  std::string gateway;  // its name: another one at each start, hexadecimal digits
  // IP:port, or rtmps://[name@]IP:port, by which the others' relays reach this one's.
  std::string origin;
  std::string secret;  // of the cluster: signs URLs for relays
  std::string info;    // what the others are told of it
};

// Ids of apps; "*": all.
using ShownApps = std::set<std::string, std::less<>>;

struct Config {
  std::map<std::string, std::string, std::less<>> apps;  // id -> certificate; "": none
  ShownApps show_members;                                // whose members may ask who else is there
  Times times;
  Limits limits;
  // URLs: scheme://host[:port]/app/stream?args
  std::string rtmp_scheme = "rtmp";
  std::string rtmp_host;  // "": the one by which the client reached the gateway
  std::uint16_t rtmp_port = 1935;
  std::string rtmp_app = "live";
  // The same for members of agora-web, which runs on this machine; host "": as for all.
  std::string near_scheme;
  std::string near_host;
  std::uint16_t near_port = 0;
  bool makes_mixes = false;  // agora-web is there, which does
  std::string secret;        // signs URLs; at least 32 bytes
  Random random;             // cryptographically strong; unset: the kernel's
  VerifyToken verify_token;  // unset: protocol::verify_token
  // Kinds of tokens that let in.
  std::vector<protocol::TokenKind> token_kinds{protocol::token_kinds.begin(),
                                               protocol::token_kinds.end()};
  std::optional<ClusterConfig> cluster;  // nothing: this gateway is the only one
};

}  // namespace agora::gateway
