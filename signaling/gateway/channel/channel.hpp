// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the channel book remembers: sockets, members, channels. Plain data; the rules are in
// channel-book.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/channel/quality.hpp"
#include "signaling/gateway/channel/roster.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/protocol/token.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

// One membership, from join to leave; a rejoin that adopts keeps it. Random, so that the ids in
// URLs tell nothing. 0 is none.
using MemberId = std::uint64_t;
using protocol::Uid;

using CodecStreams = cluster::CodecStreams;

// One name at the media server that a member may push to.
struct PublishedStream {
  protocol::Codec codec = protocol::Codec::aac;
  std::string stream;
  std::uint64_t grant = 0;
  std::uint64_t client = 0;  // the media server's session that pushes; 0: none
};

// What was handed out at once: a name for each codec that the member offers, in its order. AAC is
// among them. Together they are one voice, which is on the air while any of them is pushed.
struct Offer {
  std::vector<PublishedStream> streams;
  bool negotiated = false;  // the member named the codecs, and is told which are wanted
  protocol::Addressees to;  // those that it is for; none: everybody

  PublishedStream *find (std::string_view stream);
  // Whether that session of the media server pushed one of them.
  bool end_push (std::uint64_t client);
  bool is_pushed () const;
  CodecStreams names () const;
  protocol::Codecs codecs () const;
};

// Which of the codecs that a member offers somebody hears.
struct Wanted {
  protocol::Codecs told;  // in the order of the offer; empty: nothing so far
  bool tell = false;      // in any case
  // What has lost its last listener stays until then; 0: it has one.
  std::array<std::int64_t, protocol::codec_count> until_ms{};
};

// What a member may play.
struct Subscription {
  protocol::Codec codec = protocol::Codec::aac;
  std::string stream;
  std::uint64_t grant = 0;
  std::uint64_t client = 0;  // the media server's session that plays; 0: none
  // Played before the stream moved to another name, and not given up yet; 0: none.
  std::uint64_t old_player = 0;
  std::string old_player_stream;
  std::int64_t ends_at = 0;  // of its URL: wall clock, seconds
  bool moved = false;        // the URL changed while the member was away
  bool given = false;        // and was told when it came back: whoever asks for one gets that
  bool cut = false;          // its session was cut, and it was told no new URL yet
  bool audio_muted = false;
  bool video_muted = false;
};

// Words of one member: as many as people type, and lights blink.
inline constexpr unsigned data_per_second = 5;
inline constexpr unsigned data_at_once = 20;

// Whoever has asked for the list is told of changes.
inline constexpr unsigned lists_per_second = 1;
inline constexpr unsigned lists_at_once = 5;
// What changes of lists, and answers with lists, each take of a channel's events: streams matter
// more.
inline TokenBucket list_share (unsigned events_per_second) {
  return {std::max(events_per_second / 5, 1U), events_per_second / 20};
}

struct Channel;
struct MemberSession;

struct Member {
  MemberId id = 0;
  Channel *channel = nullptr;
  MemberSession *session = nullptr;  // none: in grace
  bool in_grace = false;             // counted as such
  // Another gateway has it now. It is no member here any more: only its sessions at the media
  // server go on for a moment.
  bool orphan = false;
  Uid uid = 0;
  std::string account;
  protocol::Role role = protocol::Role::audience;
  std::string platform;
  std::string address;
  std::string network;  // as rules and limits count it
  Entrance entrance = Entrance::front;
  std::string host;
  std::uint64_t stream_key = 0;          // of Entrance::encoder: by which it pushes
  std::int64_t joined_at = 0;            // wall clock, seconds
  std::optional<protocol::Grant> grant;  // nothing: the app has no certificate
  std::int64_t warned_s = 0;             // ends up to this one have been announced
  bool audio_muted = false;
  bool video_muted = false;
  bool describing = false;     // other gateways were told of it a moment ago
  bool knows_silence = false;  // named the feature
  bool knows_codecs = false;   // the same
  bool knows_quality = false;  // the same
  bool knows_talk = false;     // the same
  bool knows_data = false;     // the same
  bool knows_names = false;    // the same
  std::string name;            // for people; "": none
  protocol::Codecs hears;      // the preferred one first; what isn't in it: AAC
  bool silenced = false;       // by a rule of the operator's, as was last told
  TokenBucket changes{0, 0};   // of what the others are told of it: set from the limits
  // Sessions that push: the media server tells all who listen of each one's begin and end. A lossy
  // network makes a few, a restart one.
  TokenBucket pushes{1, 20};
  TokenBucket data{data_per_second, data_at_once};
  // Announced to the others: admitted once, and not given up since. Without a client it is held.
  std::optional<Offer> live;
  // Handed out, and not pushed to so far. Replaces `live` once one of it is.
  std::optional<Offer> next;
  // Was `live` until a moment ago, and is still pushed to: those who play it are on their way.
  std::optional<Offer> previous;
  Wanted wanted;
  std::unique_ptr<Reported> reported;                   // null: nothing so far
  std::unordered_map<Uid, Subscription> subscriptions;  // each one's voice is on the air
};

// What the channel hears of one uid. Whose it is matters to those alone who push it: who listens
// knows a name to play, how it is muted, and when it comes, moves and goes.
struct Voice {
  std::uint64_t id = 0;  // for timers
  Channel *channel = nullptr;
  Uid uid = 0;
  Member *member = nullptr;  // whose `live` it is; none: it is pushed at another gateway,
  std::string origin;        // whose relay is at this IP:port or rtmps://[name@]IP:port
  CodecStreams streams;      // AAC among them
  std::string name;          // the speaker's; "": none
  protocol::Addressees to;   // the only ones that know of it, and may play it; none: everybody
  // The number of what is published, among all of the channel: a stream that went and came again is
  // another one.
  std::uint64_t publication = 0;
  bool audio_muted = false;
  bool video_muted = false;
  std::unordered_set<MemberId> listeners;
  std::array<std::size_t, protocol::codec_count> hearing{};  // how many of those get each codec
  // How often its listeners were cut lately since it couldn't be had from where it is pushed, and
  // when last.
  unsigned cuts = 0;
  std::int64_t cut_ms = 0;
};

// What the whole channel was last told of one member, those who came later included.
struct Told {
  std::uint64_t publication = 0;  // 0: no stream
  protocol::Addressees to;        // those alone were told of it; none: all were
  std::string name;               // of who publishes it
  bool audio_muted = false;
  bool video_muted = false;
  std::uint64_t waits = 0;  // its place among those that the channel is yet to be told of; 0: none
};

// What there is to tell of a uid.
struct News {
  Member *member = nullptr;
  std::uint64_t publication = 0;  // 0: no stream
  protocol::Addressees to;        // of it, or of what is about to be sent
  std::string name;               // of who publishes it
  bool is_sending = false;        // or about to: nobody needs to know else how one is muted
  bool audio_muted = false;
  bool video_muted = false;
  bool is_over () const { return !member && publication == 0; }
};

using Watchers = std::unordered_set<const Member *>;

struct Channel {
  std::uint64_t id = 0;  // for timers
  std::string key;
  std::string app_id;
  std::string name;
  std::unordered_map<Uid, Member *> members;
  // Of Entrance::mix: they hear what members hear, and are in no list, count, limit or notice.
  std::unordered_set<Member *> mixes;
  std::size_t web_members = 0;  // of Entrance::web
  bool open = false;            // with a member: others hear of the channel
  std::unordered_map<std::string, Uid> accounts;
  std::map<Uid, Voice> voices;
  std::map<Uid, Member *> orphans;
  std::size_t broadcasters = 0;
  std::map<Uid, Told> told;
  // Members of whom there is something to tell, in their order, and those who change so often that
  // theirs is told once a second.
  std::map<std::uint64_t, Uid> changed;
  std::map<std::uint64_t, Uid> hasty;
  std::int64_t hasty_at_ms = 0;
  std::uint64_t places = 0;
  std::uint64_t publications = 0;
  TokenBucket events{0, 0};  // one per receiver: set from the limits
  // Those who have asked who else is there, what they know, and when they may be told next, within
  // what.
  Watchers watchers;
  Roster roster;
  bool has_list = false;  // `roster` has it: who asks before waits for the store
  std::unordered_map<const Member *, std::vector<std::int64_t>> asking;  // and its requests
  // Those who have asked where the operator doesn't show it, or not any more.
  Watchers refused;
  std::int64_t list_at_ms = 0;
  std::int64_t renames_at_ms = 0;
  TokenBucket list_events{0, 0};
};

// Sessions at the media server, and since when.
struct Pushing {
  MemberId speaker = 0;
  std::int64_t since_ms = 0;
};
struct Playing {
  MemberId listener = 0;
  Uid speaker = 0;
  std::int64_t since_ms = 0;
};
// To another gateway.
struct Relayed {
  std::string stream;
  std::int64_t since_ms = 0;
};

std::string channel_key (std::string_view app_id, std::string_view name);

// The uid that an account has in a channel, unless another member holds that one.
Uid account_uid (std::string_view app_id, std::string_view channel, std::string_view account);

// A stream's name.
struct NamedStream {
  MemberId owner = 0;                 // who may push to it; 0: it is pushed at another gateway
  Uid uid = 0;                        // whose voice it carries
  std::vector<std::uint64_t> relays;  // the media server's sessions that play it to other gateways
  Channel *channel = nullptr;         // of one that is pushed at another gateway
};

// What the channel book has to look at when its time has come.
enum class Deadline {
  session,
  grace,
  token,
  hold,
  previous,
  old_player,
  drain,
  rule,
  tell,
  mix,
  feed,
  orphan,
  wanted,
  pull,
  describe,
  look,
};
struct DeadlineKey {
  Deadline kind = Deadline::session;
  std::uint64_t id = 0;  // of the session, rule, channel, voice or feed, else the member
  auto operator<=>(const DeadlineKey &) const = default;
};

// What sockets from one network have in common.
struct Network {
  unsigned sockets = 0;
  TokenBucket unjoined{0, 0};  // set from the limits
};

// Of a member's socket, from before it has joined to its end.
struct MemberSession {
  SessionId id = 0;
  std::string address;
  std::string network;  // as limits count it; "" of a mix: it doesn't count
  std::string host;
  Entrance entrance = Entrance::front;
  Member *member = nullptr;
  std::int64_t heard_ms = 0;
  std::int64_t join_by_ms = 0;
  TokenBucket requests{0, 0};  // what it may ask: set from the limits
  TokenBucket lists{lists_per_second, lists_at_once};
  unsigned unjoined_frames = 0;
  bool has_joined = false;  // once, or more often
  bool joining = false;     // the store is asked for its place
};

}  // namespace agora::gateway
