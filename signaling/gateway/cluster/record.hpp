// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What gateways tell each other by the store, as text: names, members, speakers. Whoever can write
// to the store can write anything, so each text has its bounds and is refused as a whole. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/protocol/messages.hpp"

namespace agora::gateway::cluster {

using protocol::Uid;
using MemberId = std::uint64_t;  // as the channel book's; 16 hexadecimal digits as text

// Longer texts are refused: the longest that the wire lets in, escaped, and room.
inline constexpr std::size_t max_key = 1024;
inline constexpr std::size_t max_gateway = 64;
inline constexpr std::size_t max_stream = 128;
inline constexpr std::size_t max_record = 4096;
inline constexpr std::size_t max_rule = 8192;

// All but letters, digits, '.', '_', '~' and '-' as %XX: such a text has no separator in it.
std::string escape (std::string_view text);
// Nothing: not what escape() makes.
std::optional<std::string> unescape (std::string_view text);

// APP/CHANNEL, each escaped.
std::string channel_key (std::string_view app_id, std::string_view channel);
// app id and channel; nothing: no such key.
std::optional<std::pair<std::string, std::string>> split_key (std::string_view key);
// Its first part, escaped as it is.
std::string_view app_of_key (std::string_view key);
bool is_key (std::string_view text);
// 1 to 64 letters, digits, '.', '_', '~' or '-'.
bool is_gateway (std::string_view text);

std::string to_text (MemberId mid);
std::optional<MemberId> parse_mid (std::string_view text);
// Without a sign, a blank, or a leading 0; at most 18 digits.
std::optional<std::uint64_t> parse_number (std::string_view text);

// What a member is subscribed to, and what of it is muted.
struct Heard {
  Uid uid = 0;
  bool audio_muted = false;
  bool video_muted = false;
  bool operator==(const Heard &) const = default;
};
// So many of a member go along with it to another gateway.
inline constexpr std::size_t max_heard = 100;

// gw|mid|at|role|account|platform|address|joined|mutes|hears, and of one that has a name which
// members are shown |name. A gateway that doesn't know of those refuses the whole.
struct MemberRecord {
  std::string gateway;
  MemberId mid = 0;
  std::int64_t at_ms = 0;  // when the uid was claimed, by the store's clock
  protocol::Role role = protocol::Role::audience;
  std::string account;  // "": none
  std::string platform;
  std::string address;
  std::int64_t joined_s = 0;  // wall clock
  // Of what it publishes, now or later.
  bool audio_muted = false;
  bool video_muted = false;
  std::vector<Heard> hears;  // by uid, rising; at most max_heard
  std::string name;          // escaped; "": none
  bool operator==(const MemberRecord &) const = default;
};
std::string to_text (const MemberRecord &record);
// What follows gw|mid|at|.
std::string rest_of (const MemberRecord &record);
std::optional<MemberRecord> parse_record (std::string_view text);

// uid,… rising, at most max_addressees.
std::string to_text (const protocol::Addressees &to);
std::optional<protocol::Addressees> parse_addressees (std::string_view text);

// A stream's name for each codec.
using CodecStreams = std::map<protocol::Codec, std::string>;

// What a member has on the air.
struct Spoken {
  CodecStreams streams;  // AAC's among them
  protocol::Addressees to;
  std::string name;
  bool audio_muted = false;
  bool video_muted = false;
};

// gw|stream|at.n|origin|mutes, and for a voice that is offered in other codecs |codec=stream,… For
// one that is for a few, |codec=stream,…|uid,…, and of a speaker with a name
// |codec=stream,…|uid,…|name with what it lacks left empty. A gateway that doesn't know of those
// refuses the whole, so that nobody there hears what isn't meant for all.
struct SpeakerEntry {
  std::string gateway;  // at which it is pushed
  std::string stream;
  // Of two entries of one uid the larger order is the newer: when its member claimed the uid, and
  // how many streams that one had published before.
  std::int64_t at_ms = 0;
  std::uint64_t n = 0;
  std::string
      origin;  // IP:port of that gateway's relay; IPv6 in brackets; or rtmps://[name@]IP:port
  bool audio_muted = false;
  bool video_muted = false;
  CodecStreams others;      // beside AAC, which is `stream`
  protocol::Addressees to;  // none: everybody
  std::string name;         // of who speaks, escaped; "": none
  bool operator==(const SpeakerEntry &) const = default;
  std::pair<std::int64_t, std::uint64_t> order () const { return {at_ms, n}; }
};
std::string to_text (const SpeakerEntry &entry);
std::optional<SpeakerEntry> parse_entry (std::string_view text);

}  // namespace agora::gateway::cluster
