// SPDX-License-Identifier: LGPL-2.1-or-later
// The least gateway on libwebsockets that does the same work for tests/bench/members.cpp as
// peer-channels.mjs does on other servers: parses what members send, knows who is in which channel,
// answers joins and pings, watches heartbeats, and tells the others of a channel.
//
// Of the loops that Debian has for the library, libev's is the fastest with 10000 members.
#include <json-glib/json-glib.h>
#include <libwebsockets.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace {

constexpr double silence_s = 10;
constexpr double join_s = 10;
// What one read of a socket takes; an idle session holds so much.
constexpr std::size_t piece = 1024;

double now () {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

// One for all who get it. The library puts each frame's head before it.
class Message {
 public:
  explicit Message(std::string_view text) : bytes_(LWS_PRE + text.size()) {
    std::memcpy(bytes_.data() + LWS_PRE, text.data(), text.size());
  }

  bool write (lws *socket) {
    const auto size = bytes_.size() - LWS_PRE;
    return lws_write(socket, bytes_.data() + LWS_PRE, size, LWS_WRITE_TEXT) >=
           static_cast<int>(size);
  }

 private:
  std::vector<unsigned char> bytes_;
};

using MessagePtr = std::shared_ptr<Message>;

struct MemberSession;
using Channel = std::unordered_map<gint64, MemberSession *>;

struct MemberSession {
  lws *socket = nullptr;
  gint64 uid = 0;
  std::string role;
  Channel *channel = nullptr;
  double heard = now();
  std::string got;
  std::vector<MessagePtr> queue;
};

const char *text_of (JsonObject *object, const char *name) {
  return json_object_get_string_member_with_default(object, name, "");
}

JsonObject *object_of (JsonObject *object, const char *name) {
  JsonNode *node = json_object_get_member(object, name);
  return node != nullptr && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : nullptr;
}

class Channels {
 public:
  MemberSession *open (lws *socket) {
    auto *session = new MemberSession;
    session->socket = socket;
    sessions_.insert(session);
    return session;
  }

  void closed (MemberSession *session) {
    sessions_.erase(session);
    if (session->channel != nullptr) {
      const auto found = session->channel->find(session->uid);
      if (found != session->channel->end() && found->second == session)
        session->channel->erase(found);
    }
    delete session;
  }

  // Cuts who was silent for too long.
  void sweep () {
    const double at = now();
    for (auto *session : sessions_)
      if (at - session->heard > (session->channel != nullptr ? silence_s : join_s))
        cut(session);
  }

  // Whether it was a frame that one can answer.
  bool received (MemberSession *session, std::string_view text) {
    session->heard = now();
    if (!json_parser_load_from_data(parser_, text.data(), static_cast<gssize>(text.size()),
                                    nullptr))
      return false;
    JsonNode *root = json_parser_get_root(parser_);
    if (root == nullptr || !JSON_NODE_HOLDS_OBJECT(root))
      return false;
    JsonObject *frame = json_node_get_object(root);
    const auto id = std::to_string(json_object_get_int_member_with_default(frame, "requestId", 0));
    if (std::strcmp(text_of(frame, "command"), "ping") == 0) {
      send(session, R"({"command":"pong","requestId":)" + id + "}");
      return true;
    }
    JsonObject *request = object_of(frame, "clientRequest");
    if (request == nullptr)
      return false;
    const std::string_view action = text_of(request, "action");
    if (action == "join")
      join(session, request, id);
    else if (action == "mute_local" && session->channel != nullptr)
      mute(session, json_object_get_boolean_member_with_default(request, "mute", FALSE), id);
    else
      answer(session, id, 434, "{}");
    return true;
  }

 private:
  static void cut (MemberSession *session) {
    lws_set_timeout(session->socket, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
  }

  static void send (MemberSession *session, MessagePtr message) {
    session->queue.push_back(std::move(message));
    lws_callback_on_writable(session->socket);
  }

  static void send (MemberSession *session, std::string_view text) {
    send(session, std::make_shared<Message>(text));
  }

  static void answer (MemberSession *session, const std::string &id, int code,
                      const std::string &response) {
    send(session, R"({"command":"serverResponse","requestId":)" + id + R"(,"code":)" +
                      std::to_string(code) + R"(,"serverResponse":)" + response + "}");
  }

  void join (MemberSession *session, JsonObject *request, const std::string &id) {
    const gint64 uid = g_ascii_strtoll(text_of(request, "uid"), nullptr, 10);
    const std::string app = text_of(request, "appId");
    if (app != "demo" || uid <= 0) {
      answer(session, id, 101, "{}");
      return;
    }
    auto &channel = by_name_[app + "/" + text_of(request, "channel_name")];
    auto &place = channel[uid];
    if (place != nullptr && place != session)
      cut(place);
    place = session;
    session->uid = uid;
    session->role = text_of(request, "role");
    session->channel = &channel;
    answer(session, id, 200, R"({"uid":)" + std::to_string(uid) + "}");
  }

  static void mute (MemberSession *session, bool muted, const std::string &id) {
    answer(session, id, 200, "{}");
    const auto event = std::make_shared<Message>(
        R"({"command":"serverStatus","serverStatus":{"action":"audio-mute","uid":)" +
        std::to_string(session->uid) + R"(,"muted":)" + (muted ? "true" : "false") + "}}");
    for (const auto &[uid, other] : *session->channel)
      if (other != session)
        send(other, event);
  }

  JsonParser *parser_ = json_parser_new();
  // Sessions point at channels, which a map of this kind never moves.
  std::unordered_map<std::string, Channel> by_name_;
  std::unordered_set<MemberSession *> sessions_;
};

Channels channels;

// -1 closes the connection.
int writeable (MemberSession *session) {
  std::size_t done = 0;
  while (done < session->queue.size()) {
    if (done > 0 && lws_send_pipe_choked(session->socket)) {
      lws_callback_on_writable(session->socket);
      break;
    }
    if (!session->queue[done++]->write(session->socket))
      return -1;
  }
  session->queue.erase(session->queue.begin(),
                       session->queue.begin() + static_cast<std::ptrdiff_t>(done));
  return 0;
}

int happened (lws *socket, lws_callback_reasons what, void *user, void *data, std::size_t size) {
  auto **place = static_cast<MemberSession **>(user);
  switch (what) {
    case LWS_CALLBACK_ESTABLISHED:
      *place = channels.open(socket);
      return 0;
    case LWS_CALLBACK_CLOSED:
      channels.closed(*place);
      *place = nullptr;
      return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
      return writeable(*place);
    case LWS_CALLBACK_RECEIVE: {
      auto &got = (*place)->got;
      const std::string_view part(static_cast<const char *>(data), size);
      const bool whole =
          lws_is_final_fragment(socket) != 0 && lws_remaining_packet_payload(socket) == 0;
      if (whole && got.empty())
        return channels.received(*place, part) ? 0 : -1;
      got += part;
      if (!whole)
        return 0;
      const bool good = channels.received(*place, got);
      got.clear();
      return good ? 0 : -1;
    }
    default:
      return lws_callback_http_dummy(socket, what, user, data, size);
  }
}

lws_context *context;
lws_sorted_usec_list_t timer;

void sweep (lws_sorted_usec_list_t *) {
  channels.sweep();
  lws_sul_schedule(context, 0, &timer, sweep, LWS_US_PER_SEC);
}

}  // namespace

int main () {
  lws_set_log_level(LLL_ERR, nullptr);
  const lws_protocols protocols[] = {
      {"agora", happened, sizeof(MemberSession *), piece, 0, nullptr, 0}, {}};
  lws_context_creation_info info{};
  info.port = 0;
  info.iface = "lo";
  info.protocols = protocols;
  info.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_DISABLE_IPV6;
  context = lws_create_context(&info);
  lws_vhost *host = context != nullptr ? lws_get_vhost_by_name(context, "default") : nullptr;
  if (host == nullptr) {
    std::fprintf(stderr, "peer-lws: could not listen\n");
    return 1;
  }
  std::printf("ready ws=ws://127.0.0.1:%d/api\n", lws_get_vhost_listen_port(host));
  std::fflush(stdout);
  sweep(nullptr);
  while (lws_service(context, 0) >= 0)
    continue;
  return 1;
}
