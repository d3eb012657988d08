// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What operators ask the channel book for, and tell it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/channel/quality.hpp"
#include "signaling/protocol/messages.hpp"

namespace agora::gateway {

struct ChannelInfo {
  std::string channel;
  std::size_t broadcasters = 0;
  std::size_t audience = 0;
};

struct MemberInfo {
  protocol::Uid uid = 0;
  std::string account;
  protocol::Role role = protocol::Role::audience;
  std::string platform;
  std::string address;
  std::int64_t joined_at = 0;  // wall clock, seconds
  bool in_grace = false;
  bool publishing = false;  // announced to the others
  bool silenced = false;    // by a rule of the operator's
};

// Of one app. The key itself is known to nobody but its encoder.
struct StreamKeyInfo {
  std::uint64_t id = 0;
  std::string channel;
  protocol::Uid uid = 0;     // 0: of the channel's mix
  std::int64_t made_at = 0;  // wall clock, seconds
  bool in_use = false;       // somebody pushes by it, or did so a moment ago
  std::size_t players = 0;   // of a play key
};

// As it is while it is looked at.
struct LiveMember {
  std::uint64_t id = 0;
  std::string_view app_id;
  std::string_view channel;
  protocol::Uid uid = 0;
  std::string_view account;
  std::string_view name;  // its own word; "": none
  protocol::Role role = protocol::Role::audience;
  std::string_view platform;
  std::string_view address;
  std::int64_t joined_at = 0;  // wall clock, seconds
  bool in_grace = false;
  bool publishing = false;
  bool audio_muted = false;
  bool silenced = false;
  bool talk = false;  // what it publishes is for a few
  std::size_t listeners = 0;
  const Reported *reported = nullptr;  // null: nothing so far
};

struct ChannelName {
  std::string app_id;
  std::string channel;
  auto operator<=>(const ChannelName &) const = default;
};

// Of one channel, by its members' last reports where those tell.
struct ChannelFigures {
  std::string app_id;
  std::string channel;
  std::size_t members = 0;
  std::size_t streams = 0;
  std::size_t listeners = 0;  // one for each that plays a stream
  // RTMP sessions: those that push, that play, and that play for another gateway.
  std::size_t pushes = 0;
  std::size_t plays = 0;
  std::size_t relays = 0;
  std::optional<std::int64_t> peak_db;
  std::optional<std::int64_t> latency_ms;
  std::optional<std::int64_t> jitter_ms;
};
struct ChannelsFigures {
  std::vector<ChannelFigures> named;  // the largest
  ChannelFigures other;               // what all others have
  std::size_t others = 0;
};

struct Totals {
  std::size_t sessions = 0;
  std::size_t members = 0;  // those in grace included
  std::size_t in_grace = 0;
  std::size_t mixes = 0;  // not among the members
  std::size_t channels = 0;
  std::size_t streams = 0;
  std::map<int, std::uint64_t> joins;    // by code
  std::map<int, std::uint64_t> answers;  // by code, joins included
  std::uint64_t events = 0;              // one per receiver
  Quality quality;
};

// Moderation. An empty field matches everything; at least one of channel, uid and address is set.
struct Rule {
  std::uint64_t id = 0;
  std::string app_id;
  std::string channel;
  protocol::Uid uid = 0;
  std::string address;
  bool join_channel = true;    // out, and not in again
  bool publish_audio = false;  // may stay, but not publish
  bool publish_video = false;
  std::int64_t ends_at = 0;  // wall clock, seconds; not later than now: done once and not kept
  // Filled in by the channel book: what the address counts as, and the accounts of members that the
  // rule has hit by their uid, which they might not get again.
  std::string network;
  std::set<std::string, std::less<>> accounts;
  std::string stored;  // its rule_text() in the store of the cluster
};

}  // namespace agora::gateway
