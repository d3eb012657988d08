// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/gateway/scene.hpp"

#include <glib.h>

#include <algorithm>
#include <utility>

namespace agora::gateway {

namespace {

template <typename T>
std::vector<T> of (const Commands &commands) {
  std::vector<T> found;
  for (const Command &command : commands)
    if (const auto *one = std::get_if<T>(&command))
      found.push_back(*one);
  return found;
}

}  // namespace

Config plain_config () {
  Config config;
  config.apps = {{open_app, ""}, {closed_app, certificate}};
  config.secret = "0123456789abcdef0123456789abcdef";
  return config;
}

protocol::Join join_as (const std::string &uid, Role role, const std::string &channel) {
  protocol::Join join;
  join.role = role;
  join.app_id = open_app;
  join.channel = channel;
  join.token = open_app;
  join.uid = uid;
  join.client_type = "wechat";
  return join;
}

protocol::Join rejoin_as (const std::string &uid, Role role, std::vector<Uid> known) {
  protocol::Join join = join_as(uid, role);
  join.known_speakers = std::move(known);
  return join;
}

Scene::Scene(Config config) : book(std::move(config)) {
}

Scene::~Scene() = default;

void Scene::connect(SessionId id, const std::string &address, const std::string &host,
                    Entrance entrance) {
  open_.insert(id);
  take(book.connected(id, address, host, now, entrance));
}

void Scene::disconnect(SessionId id) {
  open_.erase(id);
  take(book.disconnected(id, now));
}

void Scene::say(SessionId id, protocol::Request request) {
  protocol::ClientMessage message;
  message.envelope.request_id = ++request_id_;
  message.request = std::move(request);
  if (book.affords(id, bytes, now))
    take(book.received(id, message, now));
  else
    take(book.refuse_frame(id, request_id_, now));
}

Answer Scene::ask(SessionId id, protocol::Request request) {
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

Code Scene::code(SessionId id, protocol::Request request) {
  return ask(id, std::move(request)).code;
}

Uid Scene::join(SessionId id, const std::string &uid, Role role) {
  connect(id);
  const Answer answer = ask(id, join_as(uid, role));
  g_assert_cmpint(static_cast<int>(answer.code), ==, 200);
  return answer.uid.value();
}

std::string Scene::publish(SessionId id, Uid uid) {
  const Answer answer = ask(id, protocol::Publish{uid});
  g_assert_cmpint(static_cast<int>(answer.code), ==, 200);
  return answer.url.value();
}

std::string Scene::subscribe(SessionId id, Uid uid) {
  const Answer answer = ask(id, protocol::Subscribe{uid});
  g_assert_cmpint(static_cast<int>(answer.code), ==, 200);
  return answer.url.value();
}

HookRequest Scene::hook(HookCall call, const std::string &url, std::uint64_t client) {
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

bool Scene::push(const std::string &url, std::uint64_t client) {
  return answered(book.on_publish(hook(HookCall::publish, url, client), now));
}

bool Scene::play(const std::string &url, std::uint64_t client) {
  HookAnswer answer = book.on_play(hook(HookCall::play, url, client), now);
  relay_from = answer.relay_from;
  return answered(answer);
}

void Scene::push_ends(std::uint64_t client) {
  HookRequest request;
  request.call = HookCall::publish_done;
  request.client_id = client;
  take(book.on_publish_done(request, now));
}

void Scene::play_ends(std::uint64_t client) {
  HookRequest request;
  request.call = HookCall::play_done;
  request.client_id = client;
  take(book.on_play_done(request, now));
}

std::string Scene::on_air(SessionId id, Uid uid, std::uint64_t client) {
  join(id, std::to_string(uid), Role::broadcaster);
  std::string url = publish(id, uid);
  g_assert_true(push(url, client));
  return url;
}

void Scene::pass(std::int64_t ms) {
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

std::vector<Send> Scene::sends() const {
  return of<Send>(last);
}

std::vector<Close> Scene::closes() const {
  return of<Close>(last);
}

std::vector<DropMedia> Scene::drops() const {
  return of<DropMedia>(last);
}

std::vector<Notice> Scene::notices() const {
  return of<Notice>(last);
}

std::string Scene::told(SessionId id) const {
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

std::string Scene::new_url(SessionId id) const {
  std::string url;
  for (const Send &send : sends())
    if (const auto *event = std::get_if<Event>(&send.message))
      if (send.to == std::vector<SessionId>{id} && event->kind == EventKind::update_url)
        url = event->url;
  return url;
}

std::string Scene::dropped() const {
  std::string text;
  for (const DropMedia &drop : drops())
    text += (text.empty() ? "" : ", ") +
            std::string(drop.direction == Direction::push ? "push " : "play ") +
            std::to_string(drop.client_id);
  return text;
}

CloseCode Scene::close_code(SessionId id) const {
  for (const Close &close : closes())
    if (close.session == id)
      return close.code;
  return CloseCode{};
}

std::string Scene::noticed() const {
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

bool Scene::is_pong(const Command &command) {
  const auto *send = std::get_if<Send>(&command);
  return send && std::holds_alternative<protocol::Pong>(send->message);
}

std::string Scene::describe(const protocol::ServerMessage &message) {
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
    case EventKind::members_hidden:
      return "hidden";
    case EventKind::members_shown:
      return "shown";
    case EventKind::member_named:
      return "named" + uid + " " + event->text;
    case EventKind::member_joined:
      return "joined" + uid + (event->text.empty() ? "" : " " + event->text);
    case EventKind::member_left:
      return "left" + uid;
    case EventKind::data:
      return "data" + uid + " " + event->text;
    case EventKind::codecs_wanted: {
      std::string list = "wanted";
      for (const protocol::Codec codec : event->codecs)
        list += std::string(" ") + protocol::to_string(codec);
      return list;
    }
  }
  return "?";
}

bool Scene::answered(const HookAnswer &answer) {
  g_assert_true(answer.allow == answer.reason.empty());
  take(answer.commands);
  return answer.allow;
}

void Scene::take(const Commands &commands) {
  last.clear();
  more(commands);
}

void Scene::more(const Commands &commands) {
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

}  // namespace agora::gateway
