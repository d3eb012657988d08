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

inline Config plain_config () {
  Config config;
  config.apps = {{open_app, ""}, {closed_app, certificate}};
  config.secret = "0123456789abcdef0123456789abcdef";
  return config;
}

inline protocol::Join join_as (const std::string &uid, Role role = Role::audience,
                               const std::string &channel = "room") {
  protocol::Join join;
  join.role = role;
  join.app_id = open_app;
  join.channel = channel;
  join.token = open_app;
  join.uid = uid;
  join.client_type = "wechat";
  return join;
}

inline protocol::Join rejoin_as (const std::string &uid, Role role, std::vector<Uid> known) {
  protocol::Join join = join_as(uid, role);
  join.known_speakers = std::move(known);
  return join;
}

class Scene {
 public:
  explicit Scene(Config config = plain_config()) : book(std::move(config)) {}
  // Carries out Ask and Watch, after the call that ordered them.
  std::function<void(const Command &)> store;
  std::string relay_from;  // of the last play

  ChannelBook book;
  Now now{1'000'000, 1'800'000'000};
  Commands last;  // of the last call, or of all of pass()

  void connect (SessionId id, const std::string &address = "192.0.2.1",
                const std::string &host = "gw.example", Entrance entrance = Entrance::front) {
    open_.insert(id);
    take(book.connected(id, address, host, now, entrance));
  }
  void disconnect (SessionId id) {
    open_.erase(id);
    take(book.disconnected(id, now));
  }
  std::size_t bytes = 300;  // of each frame
  void say (SessionId id, protocol::Request request) {
    protocol::ClientMessage message;
    message.envelope.request_id = ++request_id_;
    message.request = std::move(request);
    if (book.affords(id, bytes, now))
      take(book.received(id, message, now));
    else
      take(book.refuse_frame(id, request_id_, now));
  }
  // The one answer to it.
  Answer ask (SessionId id, protocol::Request request) {
    say(id, std::move(request));
    std::vector<Answer> answers;
    for (const Send &send : sends())
      if (const auto *answer = std::get_if<Answer>(&send.message)) {
        g_assert_true(send.to == std::vector<SessionId>{id});
        answers.push_back(*answer);
      }
    g_assert_cmpuint(answers.size(), ==, 1);
    g_assert_cmpint(answers[0].request_id, ==, request_id_);
    if (answers[0].code == Code::ok)
      g_assert_true(answers[0].reason.empty());
    else
      g_assert_false(answers[0].reason.empty());
    return answers[0];
  }
  Code code (SessionId id, protocol::Request request) { return ask(id, std::move(request)).code; }

  Uid join (SessionId id, const std::string &uid, Role role = Role::audience) {
    connect(id);
    const Answer answer = ask(id, join_as(uid, role));
    g_assert_cmpint(static_cast<int>(answer.code), ==, 200);
    return answer.uid.value();
  }
  std::string publish (SessionId id, Uid uid) {
    const Answer answer = ask(id, protocol::Publish{uid});
    g_assert_cmpint(static_cast<int>(answer.code), ==, 200);
    return answer.url.value();
  }
  std::string subscribe (SessionId id, Uid uid) {
    const Answer answer = ask(id, protocol::Subscribe{uid});
    g_assert_cmpint(static_cast<int>(answer.code), ==, 200);
    return answer.url.value();
  }

  static HookRequest hook (HookCall call, const std::string &url, std::uint64_t client) {
    const std::size_t name = url.rfind('/') + 1;
    const std::size_t query = url.find('?');
    const std::size_t app = url.rfind('/', name - 2) + 1;
    HookRequest request;
    request.call = call;
    request.app = url.substr(app, name - 1 - app);
    request.stream = url.substr(name, query - name);
    request.args = query == std::string::npos ? "" : url.substr(query + 1);
    request.client_id = client;
    request.address = "192.0.2.1";
    return request;
  }
  bool push (const std::string &url, std::uint64_t client) {
    return answered(book.on_publish(hook(HookCall::publish, url, client), now));
  }
  bool play (const std::string &url, std::uint64_t client) {
    HookAnswer answer = book.on_play(hook(HookCall::play, url, client), now);
    relay_from = answer.relay_from;
    return answered(answer);
  }
  void push_ends (std::uint64_t client) {
    HookRequest request;
    request.call = HookCall::publish_done;
    request.client_id = client;
    take(book.on_publish_done(request, now));
  }
  void play_ends (std::uint64_t client) {
    HookRequest request;
    request.call = HookCall::play_done;
    request.client_id = client;
    take(book.on_play_done(request, now));
  }
  // A broadcaster whose voice is on the air.
  std::string on_air (SessionId id, Uid uid, std::uint64_t client) {
    join(id, std::to_string(uid), Role::broadcaster);
    std::string url = publish(id, uid);
    g_assert_true(push(url, client));
    return url;
  }

  // Time goes by; every socket that is open sends its pings, but for the silent ones.
  void pass (std::int64_t ms) {
    Commands all;
    for (const std::int64_t end = now.mono_ms + ms; now.mono_ms < end;) {
      const std::int64_t next = std::min(end, now.mono_ms + 500);
      now.wall_s += next / 1000 - now.mono_ms / 1000;
      now.mono_ms = next;
      const std::set<SessionId> there = open_;
      for (SessionId id : there)
        if (!silent.contains(id)) {
          say(id, protocol::Ping{});
          for (Command &command : last)
            if (!is_pong(command))
              all.push_back(std::move(command));
        }
      const auto deadline = book.next_deadline();
      take(book.tick(now));
      if (!deadline || *deadline > now.mono_ms)
        g_assert_cmpuint(last.size(), ==, 0);
      for (Command &command : last)
        all.push_back(std::move(command));
    }
    last = std::move(all);
  }
  std::set<SessionId> silent;

  std::vector<Send> sends () const { return of<Send>(); }
  std::vector<Close> closes () const { return of<Close>(); }
  std::vector<DropMedia> drops () const { return of<DropMedia>(); }
  std::vector<Notice> notices () const { return of<Notice>(); }
  // What that socket was told in the last call, in a short form: "added 7", "audio-mute 7 1", …
  std::string told (SessionId id) const {
    std::string text;
    for (const Send &send : sends()) {
      if (std::find(send.to.begin(), send.to.end(), id) == send.to.end())
        continue;
      const std::string word = describe(send.message);
      if (!word.empty())
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
  }
  // The URL of the last update-url to that socket.
  std::string new_url (SessionId id) const {
    std::string url;
    for (const Send &send : sends())
      if (const auto *event = std::get_if<Event>(&send.message))
        if (send.to == std::vector<SessionId>{id} && event->kind == EventKind::update_url)
          url = event->url;
    return url;
  }
  std::string dropped () const {
    std::string text;
    for (const DropMedia &drop : drops())
      text += (text.empty() ? "" : ", ") +
              std::string(drop.direction == Direction::push ? "push " : "play ") +
              std::to_string(drop.client_id);
    return text;
  }
  CloseCode close_code (SessionId id) const {
    for (const Close &close : closes())
      if (close.session == id)
        return close.code;
    return CloseCode{};
  }
  std::string noticed () const {
    static const char *const names[] = {"created", "destroyed", "in",       "out",       "role",
                                        "on",      "off",       "silenced", "unsilenced"};
    std::string text;
    for (const Notice &notice : notices()) {
      text += (text.empty() ? "" : ", ") + std::string(names[static_cast<int>(notice.kind)]);
      if (notice.kind == NoticeKind::member_out)
        text += " " + std::to_string(static_cast<int>(notice.reason));
    }
    return text;
  }

 private:
  template <typename T>
  std::vector<T> of () const {
    std::vector<T> found;
    for (const Command &command : last)
      if (const auto *one = std::get_if<T>(&command))
        found.push_back(*one);
    return found;
  }
  static bool is_pong (const Command &command) {
    const auto *send = std::get_if<Send>(&command);
    return send && std::holds_alternative<protocol::Pong>(send->message);
  }
  static std::string describe (const protocol::ServerMessage &message) {
    if (const auto *error = std::get_if<protocol::ErrorEvent>(&message))
      return "error " + std::to_string(static_cast<int>(error->code));
    const auto *event = std::get_if<Event>(&message);
    if (!event)
      return "";
    const std::string uid = " " + std::to_string(event->uid);
    switch (event->kind) {
      case EventKind::stream_added:
        return "added" + uid;
      case EventKind::stream_removed:
        return "removed" + uid;
      case EventKind::update_url:
        return "url" + uid +
               (event->codec ? std::string(" ") + protocol::to_string(*event->codec) : "");
      case EventKind::video_rotation:
        return "rotation" + uid;
      case EventKind::audio_mute:
        return "audio" + uid + (event->mute ? " muted" : " unmuted");
      case EventKind::video_mute:
        return "video" + uid + (event->mute ? " muted" : " unmuted");
      case EventKind::key_will_expire:
        return "will-expire";
      case EventKind::key_expired:
        return "expired";
      case EventKind::banned:
        return "banned";
      case EventKind::silenced:
        return "silenced";
      case EventKind::unsilenced:
        return "unsilenced";
      case EventKind::codecs_wanted: {
        std::string list = "wanted";
        for (const protocol::Codec codec : event->codecs)
          list += std::string(" ") + protocol::to_string(codec);
        return list;
      }
    }
    return "?";
  }
  bool answered (const HookAnswer &answer) {
    g_assert_true(answer.allow == answer.reason.empty());
    take(answer.commands);
    return answer.allow;
  }

 public:
  void take (const Commands &commands) {
    last.clear();
    more(commands);
  }
  void more (const Commands &commands) {
    for (const Command &command : commands) {
      last.push_back(command);
      if (const auto *send = std::get_if<Send>(&command)) {
        g_assert_false(send->to.empty());
        for (SessionId id : send->to)
          g_assert_true(open_.contains(id));
        g_assert_cmpuint(std::set<SessionId>(send->to.begin(), send->to.end()).size(), ==,
                         send->to.size());
      } else if (const auto *close = std::get_if<Close>(&command)) {
        g_assert_true(open_.erase(close->session) == 1);
      } else if (const auto *drop = std::get_if<DropMedia>(&command)) {
        g_assert_cmpuint(drop->stream.size(), ==, 32);
      }
    }
    for (const Command &command : commands)
      if (store && (std::holds_alternative<Ask>(command) || std::holds_alternative<Watch>(command)))
        store(command);
  }

 private:
  std::set<SessionId> open_;
  std::int64_t request_id_ = 2;
};

}  // namespace agora::gateway
