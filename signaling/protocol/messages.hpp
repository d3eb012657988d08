// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The frames of the wire as plain structs: what docs/protocol.md says, and nothing else. No I/O, no
// GObject, no JSON: codec.hpp turns these into text and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace agora::protocol {

using Uid = std::uint32_t;

enum class Role { audience, broadcaster };
enum class Target { audio, video, all };

// Wire codes (docs/protocol.md, section 5). 9xx are the client's own and never travel.
enum class Code : int {
  ok = 200,
  app_invalid = 101,
  token_expired = 109,
  token_invalid = 110,
  token_unexpected = 119,
  token_missing = 120,
  bad_request = 401,
  too_many = 429,
  bad_order = 430,
  bad_role_or_uid = 431,
  not_publishing = 432,
  not_permitted = 433,
  not_joined = 434,
  internal = 500,
  service_lost = 501,
  overloaded = 502,
  drain = 503,
  no_server = 901,
  no_request_id = 902,
  timeout = 903,
  socket_gone = 904,
  unreachable = 905,
};

// Fields that every request carries around its action. A uid travels as text here: it may be a
// text account.
struct Envelope {
  std::string app_id;
  std::string channel;
  std::string uid;
  std::string sid;
  std::string sdk_version;
  std::int64_t seq = 0;
  std::int64_t request_id = 0;
  std::int64_t ts = 0;  // seconds since the epoch
  bool operator==(const Envelope &) const = default;
};

struct Ping {
  bool operator==(const Ping &) const = default;
};

// Extensions (docs/protocol.md, section 9) that a client says it understands, by their names.
// What isn't known here is left out when a frame is read.
inline constexpr const char *feature_silence = "silence";
inline constexpr const char *feature_codecs = "codecs";
inline constexpr const char *feature_quality = "quality";
inline constexpr const char *feature_talk = "talk";
inline constexpr const char *feature_data = "data";
inline constexpr const char *feature_names = "names";
using Features = std::vector<std::string>;
// Names in one join; more are an error.
constexpr std::size_t max_features = 32;

// How a voice is encoded. Everybody hears AAC, the first; the others are of the feature `codecs`.
// Their numbers never travel.
enum class Codec : std::uint8_t { aac, opus };
constexpr std::size_t codec_count = 2;
// Without duplicates, the preferred one first. What isn't known here is left out when a frame is
// read.
using Codecs = std::vector<Codec>;
// Names in one list, and bytes of one; more are an error.
constexpr std::size_t max_codecs = 8;
constexpr std::size_t max_codec_name = 32;

// Characters of a member's name, which has no control characters.
constexpr std::size_t max_name = 64;

// Members in one list, and bytes of it as JSON, so that its frame is none that a client refuses.
constexpr std::size_t max_listed = 1000;
constexpr std::size_t max_list_bytes = 60'000;

// In one list: of speakers that a join is to account for, or to unsubscribe from.
constexpr std::size_t max_uids = 1024;

// Those that a voice is for, rising; none: everybody. Of the feature `talk`.
using Addressees = std::vector<Uid>;
constexpr std::size_t max_addressees = 16;

struct Join {
  Role role = Role::audience;
  std::string app_id;
  std::string channel;
  std::string token;  // key_vos; the app id itself where there is none
  std::string uid;    // decimal, "" or "0": assign one; the account where uid_type is 1
  int uid_type = 0;   // 0 integer, 1 text account
  std::string vid;
  std::string device;
  std::string os;
  std::string version;
  std::string client_type;
  bool audio_only = false;
  std::optional<std::string> custom_audio_codec;
  // Present, even when empty: this join is a rejoin.
  std::optional<std::vector<Uid>> known_speakers;
  // Nothing: the client is of those that know no extension, and must meet none.
  std::optional<Features> features;
  std::optional<Codecs> hears;  // nothing: AAC alone
  std::string name;             // for people; "": none. Of the feature `names`
  bool operator==(const Join &) const = default;
};

struct SetRole {
  Role role = Role::audience;
  bool operator==(const SetRole &) const = default;
};
struct Publish {
  Uid uid = 0;
  // Offered, AAC among them. Nothing: AAC alone, by a client that may know no other.
  std::optional<Codecs> codecs;
  Addressees to;
  bool operator==(const Publish &) const = default;
};
struct Unpublish {
  Uid uid = 0;
  bool operator==(const Unpublish &) const = default;
};
struct Subscribe {
  Uid uid = 0;
  bool audio = true;
  bool video = true;
  bool operator==(const Subscribe &) const = default;
};
struct Unsubscribe {
  std::vector<Uid> uids;
  bool operator==(const Unsubscribe &) const = default;
};
struct Mute {  // `mute` and `unmute`: this member stops or resumes receiving a remote
  Uid uid = 0;
  Target target = Target::audio;
  bool mute = true;
  bool operator==(const Mute &) const = default;
};
struct MuteLocal {
  Uid uid = 0;
  Target target = Target::audio;
  bool mute = true;
  bool operator==(const MuteLocal &) const = default;
};
struct SetRemoteStreamType {
  Uid uid = 0;
  int type = 0;  // 0 high, 1 low
  bool operator==(const SetRemoteStreamType &) const = default;
};
struct UpdateKey {
  std::string token;
  bool operator==(const UpdateKey &) const = default;
};
struct UpdateUrl {
  Uid uid = 0;
  bool operator==(const UpdateUrl &) const = default;
};
struct Leave {
  Uid uid = 0;
  bool operator==(const Leave &) const = default;
};
// Of the feature `quality`: how a member's sound fares, by its own word. Nobody but the operator is
// told. Levels are in dB of full scale, times in ms; what has no bound in time counts from when the
// voice began.
constexpr std::size_t max_report_speakers = 16;
constexpr std::int64_t min_report_level = -100;
constexpr std::int64_t max_report_level = 20;
constexpr std::int64_t max_report_ms = 600'000;                   // of a delay
constexpr std::int64_t max_report_count = std::int64_t{1} << 53;  // what every reader of JSON holds
struct Loudness {
  std::int8_t peak = min_report_level;
  std::int8_t rms = min_report_level;
  bool operator==(const Loudness &) const = default;
};
struct SentReport {
  std::optional<Loudness> level;  // nothing: it sends what others have encoded
  std::int64_t dropped_ms = 0;    // not sent, since the network was too slow
  std::int64_t outages = 0;       // how often it was off the air
  bool operator==(const SentReport &) const = default;
};
struct HeardReport {
  Uid uid = 0;
  std::optional<Loudness> level;
  std::int64_t delay_ms = 0;               // for which its sound is held back
  std::optional<std::int64_t> latency_ms;  // mouth to ear; nothing: the speaker doesn't stamp
  std::int64_t jitter_ms = 0;
  std::int64_t dropped_ms = 0;    // came too late
  std::int64_t concealed_ms = 0;  // didn't come
  bool operator==(const HeardReport &) const = default;
};
struct Report {
  std::int64_t reconnects = 0;  // how often it lost the gateway and came back
  std::optional<SentReport> sent;
  std::vector<HeardReport> heard;
  bool operator==(const Report &) const = default;
};

// Of the feature `data`: a few words, for cue lights and chat.
constexpr std::size_t max_data = 256;  // bytes
struct Data {
  Addressees to;
  std::string text;
  bool operator==(const Data &) const = default;
};

// Of the feature `names`: who else is in the channel, now and from now on.
struct Members {
  bool operator==(const Members &) const = default;
};

// Well-formed, but no action of ours: answered with 401, so that newer clients can ask.
struct Unknown {
  std::string action;
  bool operator==(const Unknown &) const = default;
};

using Request =
    std::variant<Ping, Join, SetRole, Publish, Unpublish, Subscribe, Unsubscribe, Mute, MuteLocal,
                 SetRemoteStreamType, UpdateKey, UpdateUrl, Leave, Report, Data, Members, Unknown>;

struct ClientMessage {
  Envelope envelope;
  Request request;
  bool operator==(const ClientMessage &) const = default;
};

struct ListedMember {
  Uid uid = 0;
  std::string name;  // "": none
  bool operator==(const ListedMember &) const = default;
};
struct MemberList {
  std::vector<ListedMember> members;
  std::int64_t more = 0;  // so many are there beside those
  bool operator==(const MemberList &) const = default;
};

// serverResponse. What an action doesn't answer stays empty and is left out of the JSON.
struct Answer {
  std::int64_t request_id = 0;
  Code code = Code::ok;
  std::string reason;  // only where code isn't ok
  std::optional<Uid> uid;
  std::optional<std::string> url;
  std::optional<int> rotation;
  std::optional<std::string> update_url;            // set_role's "update-url"
  std::optional<Features> features;                 // join's: what both understand
  std::optional<Codec> codec;                       // subscribe's, beside the url
  std::vector<std::pair<Codec, std::string>> urls;  // publish's and update_url's, with codecs
  bool talk = false;                                // subscribe's, as the event's
  std::optional<MemberList> list;                   // members'
  bool operator==(const Answer &) const = default;
};

struct Pong {
  std::int64_t request_id = 0;
  bool operator==(const Pong &) const = default;
};

enum class EventKind {
  stream_added,
  stream_removed,
  update_url,
  video_rotation,
  audio_mute,
  video_mute,
  key_will_expire,
  key_expired,
  banned,          // client-is-banned-by-server
  silenced,        // only to members with the feature `silence`
  unsilenced,      // the same
  codecs_wanted,   // only to members with the feature `codecs`
  members_hidden,  // only to members that have asked for the list
  members_shown,   // the same
  data,            // only to members with the feature `data`
  member_named,    // only to members with the feature `names`
  member_joined,   // only to members that have asked for the list
  member_left,     // the same
};

struct Event {
  EventKind kind = EventKind::stream_added;
  Uid uid = 0;
  std::string url;             // update_url
  int rotation = 0;            // video_rotation
  bool mute = false;           // audio_mute, video_mute
  std::optional<Codec> codec;  // update_url
  Codecs codecs;               // codecs_wanted
  std::string text;            // data; member_named's and member_joined's name
  bool talk = false;           // stream_added, update_url: it is for a few, this member among them
  bool operator==(const Event &) const = default;
};

struct ErrorEvent {
  Code code = Code::internal;
  std::string reason;
  bool operator==(const ErrorEvent &) const = default;
};

using ServerMessage = std::variant<Answer, Pong, Event, ErrorEvent>;

}  // namespace agora::protocol
