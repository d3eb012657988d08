// SPDX-License-Identifier: LGPL-2.1-or-later
// A channel book on a fake clock, with scripted sockets and a scripted media server around it.
// Checks after every call what must hold always: one answer to a request, nothing sent to who is
// gone.
#pragma once

#include <glib.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

using protocol::Answer;
using protocol::Code;
using protocol::Event;
using protocol::EventKind;
using protocol::Role;
using protocol::Uid;

inline const char *const open_app = "demo";    // no certificate
inline const char *const closed_app = "bank";  // with one
inline const char *const certificate = "5CFd2fd1755d40ecb72977518be15d3b";

Config plain_config ();
protocol::Join join_as (const std::string &uid, Role role = Role::audience,
                        const std::string &channel = "room");
protocol::Join rejoin_as (const std::string &uid, Role role, std::vector<Uid> known);

class Scene {
 public:
  explicit Scene(Config config = plain_config());
  ~Scene();
  Scene(const Scene &) = delete;
  Scene &operator=(const Scene &) = delete;
  // Carries out Ask and Watch, after the call that ordered them.
  std::function<void(const Command &)> store;
  std::string relay_from;  // of the last play

  ChannelBook book;
  Now now{1'000'000, 1'800'000'000};
  Commands last;  // of the last call, or of all of pass()

  void connect (SessionId id, const std::string &address = "192.0.2.1",
                const std::string &host = "gw.example", Entrance entrance = Entrance::front);
  void disconnect (SessionId id);
  std::size_t bytes = 300;  // of each frame
  void say (SessionId id, protocol::Request request);
  // The one answer to it.
  Answer ask (SessionId id, protocol::Request request);
  Code code (SessionId id, protocol::Request request);

  Uid join (SessionId id, const std::string &uid, Role role = Role::audience);
  std::string publish (SessionId id, Uid uid);
  std::string subscribe (SessionId id, Uid uid);

  static HookRequest hook (HookCall call, const std::string &url, std::uint64_t client);
  bool push (const std::string &url, std::uint64_t client);
  bool play (const std::string &url, std::uint64_t client);
  void push_ends (std::uint64_t client);
  void play_ends (std::uint64_t client);
  // A broadcaster whose voice is on the air.
  std::string on_air (SessionId id, Uid uid, std::uint64_t client);

  // Time goes by; every socket that is open sends its pings, but for the silent ones.
  void pass (std::int64_t ms);
  std::set<SessionId> silent;

  std::vector<Send> sends () const;
  std::vector<Close> closes () const;
  std::vector<DropMedia> drops () const;
  std::vector<Notice> notices () const;
  // What that socket was told in the last call, in a short form: "added 7", "audio-mute 7 1", …
  std::string told (SessionId id) const;
  // The URL of the last update-url to that socket.
  std::string new_url (SessionId id) const;
  std::string dropped () const;
  CloseCode close_code (SessionId id) const;
  std::string noticed () const;

 private:
  static bool is_pong (const Command &command);
  static std::string describe (const protocol::ServerMessage &message);
  bool answered (const HookAnswer &answer);

 public:
  void take (const Commands &commands);
  void more (const Commands &commands);

 private:
  std::set<SessionId> open_;
  std::int64_t request_id_ = 2;
};

}  // namespace agora::gateway
