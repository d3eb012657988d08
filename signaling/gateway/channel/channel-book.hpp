// SPDX-License-Identifier: LGPL-2.1-or-later
// The rules of every channel, in one place: (session, message, now) in, commands out. Pure: no
// sockets, no timers, no JSON. Not thread-safe: one loop owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/channel/hook-form.hpp"
#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/protocol/token.hpp"

namespace agora::gateway {

struct Times {
  std::int64_t grace_ms = 10'000;             // a lost socket's member lives on
  std::int64_t hold_ms = 3'000;               // a lost push is not yet announced as gone
  std::int64_t silence_ms = 10'000;           // a member without a frame is closed
  std::int64_t join_ms = 10'000;              // from connecting to joining
  std::int64_t idle_ms = 60'000;              // from leaving to joining again
  std::int64_t previous_ms = 1'000;           // a push that has moved stays at its old name
  std::int64_t old_player_ms = 5'000;         // a player stays on the old name of what has moved
  std::int64_t warn_s = 30;                   // key-will-expire before the end
  std::int64_t url_lifetime_s = 30 * 86'400;  // of a URL at most; it dies earlier with its member
};

// 0 is: no limit.
struct Limits {
  unsigned requests_per_second = 50;
  unsigned request_burst = 100;
  unsigned sockets_per_address = 1'000;
  unsigned members_per_channel = 20'000;
  unsigned channels_per_app = 10'000;
  unsigned members = 0;  // of all channels together; beyond it the gateway is overloaded
};

using Random = std::function<void(std::span<std::uint8_t>)>;
using VerifyToken = std::function<std::variant<protocol::Grant, protocol::TokenError>(
    std::string_view token, const protocol::TokenRequest &request, std::int64_t wall_s)>;

struct Config {
  std::map<std::string, std::string, std::less<>> apps;  // id -> certificate; "": none
  Times times;
  Limits limits;
  // URLs: scheme://host[:port]/app/stream?args
  std::string rtmp_scheme = "rtmp";
  std::string rtmp_host;  // "": the one by which the client reached the gateway
  std::uint16_t rtmp_port = 1935;
  std::string rtmp_app = "live";
  std::string secret;        // signs URLs; at least 32 bytes
  Random random;             // cryptographically strong; unset: the kernel's
  VerifyToken verify_token;  // unset: protocol::verify_token
};

// An answer to a hook. What `commands` drop must be gone before the media server gets the answer,
// so that a returning publisher doesn't meet its own old session.
struct HookAnswer {
  bool allow = false;
  std::string reason;  // for the log
  Commands commands;
};

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

struct Totals {
  std::size_t sessions = 0;
  std::size_t members = 0;  // those in grace included
  std::size_t in_grace = 0;
  std::size_t channels = 0;
  std::size_t streams = 0;
  std::map<int, std::uint64_t> joins;    // by code
  std::map<int, std::uint64_t> answers;  // by code, joins included
  std::uint64_t events = 0;              // one per receiver
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
};

class Rules;

class ChannelBook {
 public:
  explicit ChannelBook(Config config);
  ~ChannelBook();
  ChannelBook(const ChannelBook &) = delete;
  ChannelBook &operator=(const ChannelBook &) = delete;

  // `address`: the peer's, without port. `host`: by which the client reached the gateway, without
  // port (an IPv6 literal with or without brackets).
  Commands connected (SessionId session, std::string_view address, std::string_view host, Now now);
  Commands received (SessionId session, const protocol::ClientMessage &message, Now now);
  // A frame that the codec refused.
  Commands malformed (SessionId session, const protocol::DecodeError &error, Now now);
  Commands disconnected (SessionId session, Now now);

  // The moment, on the monotonic clock, when tick() has something to do; nothing: never.
  std::optional<std::int64_t> next_deadline () const;
  Commands tick (Now now);

  HookAnswer on_publish (const HookRequest &request, Now now);
  HookAnswer on_play (const HookRequest &request, Now now);
  Commands on_publish_done (const HookRequest &request, Now now);
  Commands on_play_done (const HookRequest &request, Now now);
  // Died or restarted: every RTMP session is gone.
  Commands media_server_lost (Now now);
  // The ids of all sessions that the media server has, from its own statistics, which were asked
  // for at `asked_ms` of the monotonic clock: an end whose hook got lost is made up for.
  Commands media_sessions (const std::vector<std::uint64_t> &there, std::int64_t asked_ms, Now now);
  // The media server stays away: every member is told to move on (501), and nobody joins until it
  // is back.
  Commands service_lost (Now now);
  void service_back ();

  // Nobody joins any more (503), and members are told to move on, one after another, within half of
  // the time.
  Commands drain (std::int64_t for_ms, Now now);
  // They have all gone.
  bool drained () const;
  // Tells every member to move on, closes every socket, lets none in any more.
  Commands close_all (Now now);

  bool serves (std::string_view app_id) const;
  std::vector<ChannelInfo> channels (std::string_view app_id) const;
  // Nothing: no such channel.
  std::optional<std::vector<MemberInfo>> members (std::string_view app_id,
                                                  std::string_view channel) const;
  std::optional<MemberInfo> member (std::string_view app_id, std::string_view channel,
                                    protocol::Uid uid) const;
  Totals totals () const;

  // `rule.id` is chosen by the channel book and written back.
  Commands add_rule (Rule &rule, Now now);
  std::vector<Rule> rules (std::string_view app_id, Now now) const;
  bool change_rule (std::uint64_t id, std::int64_t ends_at, Now now);
  // Nothing: there is no such rule.
  std::optional<Commands> lift_rule (std::uint64_t id, Now now);

 private:
  std::unique_ptr<Rules> rules_;
};

}  // namespace agora::gateway
