// SPDX-License-Identifier: LGPL-2.1-or-later
// A gateway that does what a test tells it to, and a client beside it, in one thread and on a port
// of the system's choice. At the end everything must have been finalised.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "signaling/agora-signaling.h"
#include "signaling/client/object.hpp"
#include "signaling/protocol/codec.hpp"

namespace rig {

namespace protocol = agora::protocol;

inline void wait_for (const std::function<bool()> &done, const char *what) {
  bool late = false;
  GSource *source = g_timeout_source_new_seconds(20);
  g_source_set_callback(
      source,
      [] (gpointer data) -> gboolean {
        *static_cast<bool *>(data) = true;
        return G_SOURCE_REMOVE;
      },
      &late, nullptr);
  g_source_attach(source, g_main_context_get_thread_default());
  while (!done()) {
    if (late)
      g_error("waited in vain for: %s", what);
    g_main_context_iteration(g_main_context_get_thread_default(), TRUE);
  }
  g_source_destroy(source);
  g_source_unref(source);
}
#define WAIT_FOR(condition) rig::wait_for([&] { return (condition); }, #condition)

// The result of one asynchronous call.
class Call {
 public:
  ~Call() {
    if (result_ != nullptr)
      g_object_unref(result_);
  }
  static void done (GObject *, GAsyncResult *result, gpointer data) {
    auto *self = static_cast<Call *>(data);
    g_assert_null(self->result_);  // once
    self->result_ = G_ASYNC_RESULT(g_object_ref(result));
  }
  bool is_done () const { return result_ != nullptr; }
  GAsyncResult *wait () {
    WAIT_FOR(result_ != nullptr);
    return result_;
  }

 private:
  GAsyncResult *result_ = nullptr;
};

// How a call ended: well, or with which error.
struct Outcome {
  GQuark domain = 0;
  int code = -1;
  std::string text;
  bool is (AgoraError wanted) const { return domain == AGORA_ERROR && code == wanted; }
  bool is_cancelled () const { return domain == G_IO_ERROR && code == G_IO_ERROR_CANCELLED; }
  bool is_well () const { return domain == 0; }
  static Outcome take (GError *&error) {
    Outcome outcome;
    if (error != nullptr) {
      outcome = {error->domain, error->code, error->message};
      g_test_message("%s", error->message);
      g_clear_error(&error);
    }
    return outcome;
  }
};

class Gateway {
 public:
  struct Socket {
    SoupWebsocketConnection *connection;
    bool closed = false;
  };
  // What to do with a request; nothing: answer it as a good gateway would.
  using Script = std::function<bool(Socket &, const protocol::ClientMessage &)>;
  Script script;
  std::vector<Socket *> sockets;
  std::vector<protocol::ClientMessage> heard;
  std::vector<protocol::Uid> speakers;
  bool answers_pings = true;
  int choices = 0;
  std::function<std::string()> choice;

  explicit Gateway(GTlsCertificate *certificate = nullptr)
      : server_(soup_server_new("tls-certificate", certificate, nullptr)) {
    soup_server_add_websocket_handler(server_, "/api", nullptr, nullptr, on_socket, this, nullptr);
    soup_server_add_handler(server_, "/api/v1", on_choose, this, nullptr);
    soup_server_add_handler(server_, "/page", on_page, this, nullptr);
    g_autoptr(GError) error = nullptr;
    int options = SOUP_SERVER_LISTEN_IPV4_ONLY;
    if (certificate != nullptr)
      options |= SOUP_SERVER_LISTEN_HTTPS;
    soup_server_listen_local(server_, 0, static_cast<SoupServerListenOptions>(options), &error);
    g_assert_no_error(error);
    GSList *uris = soup_server_get_uris(server_);
    port_ = g_uri_get_port(static_cast<GUri *>(uris->data));
    g_slist_free_full(uris, reinterpret_cast<GDestroyNotify>(g_uri_unref));
  }
  ~Gateway() {
    for (Socket *socket : sockets) {
      g_signal_handlers_disconnect_by_data(socket->connection, socket);
      g_signal_handlers_disconnect_by_data(socket->connection, this);
      g_object_unref(socket->connection);
      delete socket;
    }
    soup_server_disconnect(server_);
    g_object_unref(server_);
  }
  std::string url (const std::string &path = "/api", const char *scheme = "ws") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_) + path;
  }
  Socket &socket () {
    WAIT_FOR(!sockets.empty());
    return *sockets.back();
  }
  static void send (Socket &socket, const protocol::ServerMessage &message) {
    send_text(socket, protocol::encode(message));
  }
  static void send_text (Socket &socket, const std::string &text) {
    if (soup_websocket_connection_get_state(socket.connection) == SOUP_WEBSOCKET_STATE_OPEN)
      soup_websocket_connection_send_text(socket.connection, text.c_str());
  }
  static void cut (Socket &socket) {
    g_io_stream_close(soup_websocket_connection_get_io_stream(socket.connection), nullptr, nullptr);
  }
  static protocol::Answer answer_to (const protocol::ClientMessage &message) {
    protocol::Answer answer;
    answer.request_id = message.envelope.request_id;
    return answer;
  }
  static void refuse (Socket &socket, const protocol::ClientMessage &message, protocol::Code code,
                      const std::string &reason) {
    protocol::Answer answer = answer_to(message);
    answer.code = code;
    answer.reason = reason;
    send(socket, answer);
  }
  void obey (Socket &socket, const protocol::ClientMessage &message) {
    protocol::Answer answer = answer_to(message);
    if (const auto *join = std::get_if<protocol::Join>(&message.request)) {
      answer.uid = protocol_uid(*join);
      send(socket, answer);
      for (protocol::Uid uid : speakers)
        send(socket, protocol::Event{protocol::EventKind::stream_added, uid, {}, 0, false});
      return;
    }
    std::string turn = std::to_string(sockets.size());
    if (std::holds_alternative<protocol::Publish>(message.request))
      answer.url = "rtmp://push/" + turn;
    if (std::holds_alternative<protocol::UpdateUrl>(message.request))
      answer.url = "rtmp://push/fresh";
    if (const auto *subscribe = std::get_if<protocol::Subscribe>(&message.request)) {
      answer.url = "rtmp://play/" + std::to_string(subscribe->uid) + "/" + turn;
      answer.rotation = 90;
    }
    send(socket, answer);
  }
  template <typename Request>
  int count () const {
    int found = 0;
    for (const protocol::ClientMessage &message : heard)
      found += std::holds_alternative<Request>(message.request) ? 1 : 0;
    return found;
  }

 private:
  static protocol::Uid protocol_uid (const protocol::Join &join) {
    auto uid = static_cast<protocol::Uid>(g_ascii_strtoull(join.uid.c_str(), nullptr, 10));
    return uid != 0 ? uid : 4711;
  }
  static void on_socket (SoupServer *, SoupServerMessage *, const char *,
                         SoupWebsocketConnection *connection, gpointer data) {
    auto *self = static_cast<Gateway *>(data);
    auto *socket = new Socket{SOUP_WEBSOCKET_CONNECTION(g_object_ref(connection))};
    self->sockets.push_back(socket);
    g_signal_connect(connection, "message", G_CALLBACK(on_message), self);
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), socket);
  }
  static void on_message (SoupWebsocketConnection *connection, int, GBytes *bytes, gpointer data) {
    auto *self = static_cast<Gateway *>(data);
    gsize size = 0;
    const auto *text = static_cast<const char *>(g_bytes_get_data(bytes, &size));
    auto decoded = protocol::decode_client({text, size});
    if (const auto *error = std::get_if<protocol::DecodeError>(&decoded))
      g_error("the client sent nonsense: %s", error->reason.c_str());
    const auto &message = std::get<protocol::ClientMessage>(decoded);
    for (Socket *socket : self->sockets) {
      if (socket->connection != connection)
        continue;
      if (std::holds_alternative<protocol::Ping>(message.request)) {
        if (self->answers_pings)
          send(*socket, protocol::Pong{message.envelope.request_id});
        return;
      }
      self->heard.push_back(message);
      if (!self->script || !self->script(*socket, message))
        self->obey(*socket, message);
      return;
    }
  }
  static void on_closed (SoupWebsocketConnection *, gpointer data) {
    static_cast<Socket *>(data)->closed = true;
  }
  static void on_choose (SoupServer *, SoupServerMessage *message, const char *, GHashTable *,
                         gpointer data) {
    auto *self = static_cast<Gateway *>(data);
    ++self->choices;
    SoupMessageBody *body = soup_server_message_get_request_body(message);
    g_autoptr(GBytes) bytes = soup_message_body_flatten(body);
    gsize size = 0;
    const auto *text = static_cast<const char *>(g_bytes_get_data(bytes, &size));
    auto decoded = protocol::decode_choose_request({text, size});
    g_assert_true(std::holds_alternative<protocol::ChooseRequest>(decoded));
    g_assert_cmpstr(soup_message_headers_get_one(soup_server_message_get_request_headers(message),
                                                 "X-Packet-URI"),
                    ==, "61");
    std::string answer = self->choice();
    soup_server_message_set_status(message, 200, nullptr);
    soup_server_message_set_response(message, "application/json", SOUP_MEMORY_COPY, answer.data(),
                                     answer.size());
  }
  static void on_page (SoupServer *, SoupServerMessage *message, const char *, GHashTable *,
                       gpointer) {
    soup_server_message_set_status(message, 200, nullptr);
    soup_server_message_set_response(message, "text/html", SOUP_MEMORY_STATIC, "<html>", 6);
  }

  SoupServer *server_;
  int port_ = 0;
};

// A client whose signals are written down as lines.
class Client {
 public:
  AgoraClient *object;
  std::vector<std::string> told;

  explicit Client(const std::string &gateway) : object(agora_client_new(gateway.c_str())) {
    agora::client::Limits &limits = agora::client::core_of(object).limits();
    limits.first_retry = 10;
    limits.last_retry = 40;
    limits.ping = 20;
    g_object_weak_ref(G_OBJECT(object), on_gone, this);
    for (const char *name : {"stream-added", "stream-removed", "mute-audio", "unmute-audio",
                             "mute-video", "unmute-video", "reconnected"})
      g_signal_connect_data(object, name, G_CALLBACK(on_number), new Line{this, name}, free_line,
                            static_cast<GConnectFlags>(0));
    for (const char *name :
         {"token-privilege-will-expire", "token-privilege-did-expire", "client-banned"})
      g_signal_connect_data(object, name, G_CALLBACK(on_nothing), new Line{this, name}, free_line,
                            static_cast<GConnectFlags>(0));
    for (const char *name : {"error", "reconnecting"})
      g_signal_connect_data(object, name, G_CALLBACK(on_error), new Line{this, name}, free_line,
                            static_cast<GConnectFlags>(0));
    g_signal_connect(object, "update-url", G_CALLBACK(on_url), this);
    g_signal_connect(object, "video-rotation", G_CALLBACK(on_rotation), this);
    g_signal_connect(object, "notify::state", G_CALLBACK(on_state), this);
    Call init;
    agora_client_init_async(object, "app", nullptr, Call::done, &init);
    GError *error = nullptr;
    agora_client_init_finish(object, init.wait(), &error);
    g_assert_no_error(error);
  }
  // The last reference goes, and with it everything that it held.
  ~Client() { drop(); }
  void drop () {
    if (object != nullptr)
      g_object_unref(std::exchange(object, nullptr));
    WAIT_FOR(gone);
  }
  bool gone = false;

  Outcome join (guint *uid = nullptr, const char *channel = "hall", guint wanted = 7,
                const char *token = nullptr, GCancellable *cancellable = nullptr) {
    Call call;
    agora_client_join_async(object, token, channel, wanted, cancellable, Call::done, &call);
    GError *error = nullptr;
    guint got = agora_client_join_finish(object, call.wait(), &error);
    g_assert_true((got == 0) == (error != nullptr));
    if (uid != nullptr)
      *uid = got;
    return Outcome::take(error);
  }
  Outcome leave () {
    Call call;
    agora_client_leave_async(object, nullptr, Call::done, &call);
    GError *error = nullptr;
    agora_client_leave_finish(object, call.wait(), &error);
    return Outcome::take(error);
  }
  Outcome publish (std::string *url = nullptr) {
    Call call;
    agora_client_publish_async(object, nullptr, Call::done, &call);
    GError *error = nullptr;
    g_autofree char *got = agora_client_publish_finish(object, call.wait(), &error);
    g_assert_true((got == nullptr) == (error != nullptr));
    if (url != nullptr && got != nullptr)
      *url = got;
    return Outcome::take(error);
  }
  Outcome subscribe (guint uid, std::string *url = nullptr) {
    Call call;
    agora_client_subscribe_async(object, uid, nullptr, Call::done, &call);
    GError *error = nullptr;
    int rotation = 0;
    g_autofree char *got = agora_client_subscribe_finish(object, call.wait(), &rotation, &error);
    if (url != nullptr && got != nullptr)
      *url = std::string(got) + " " + std::to_string(rotation);
    return Outcome::take(error);
  }
  AgoraState state () const { return agora_client_get_state(object); }
  std::vector<guint> speakers () const {
    gsize n = 0;
    g_autofree guint *uids = agora_client_dup_speakers(object, &n);
    return {uids, uids + n};
  }
  bool was_told (const std::string &line) const {
    for (const std::string &other : told)
      if (other == line)
        return true;
    return false;
  }

 private:
  struct Line {
    Client *self;
    std::string name;
  };
  static void free_line (gpointer data, GClosure *) { delete static_cast<Line *>(data); }
  static void on_gone (gpointer data, GObject *) { static_cast<Client *>(data)->gone = true; }
  static void on_number (AgoraClient *, guint number, gpointer data) {
    auto *line = static_cast<Line *>(data);
    bool is_uid = line->name != "reconnected";
    line->self->told.push_back(line->name + (is_uid ? " " + std::to_string(number) : ""));
  }
  static void on_nothing (AgoraClient *, gpointer data) {
    auto *line = static_cast<Line *>(data);
    line->self->told.push_back(line->name);
  }
  static void on_error (AgoraClient *, GError *error, gpointer data) {
    auto *line = static_cast<Line *>(data);
    g_test_message("%s: %s", line->name.c_str(), error->message);
    line->self->told.push_back(line->name + " " + std::to_string(error->code));
  }
  static void on_url (AgoraClient *, guint uid, const char *url, gpointer data) {
    static_cast<Client *>(data)->told.push_back("update-url " + std::to_string(uid) + " " + url);
  }
  static void on_rotation (AgoraClient *, guint uid, int rotation, gpointer data) {
    static_cast<Client *>(data)->told.push_back("video-rotation " + std::to_string(uid) + " " +
                                                std::to_string(rotation));
  }
  static void on_state (AgoraClient *object, GParamSpec *, gpointer data) {
    g_autofree char *name =
        g_enum_to_string(AGORA_TYPE_STATE, static_cast<int>(agora_client_get_state(object)));
    static_cast<Client *>(data)->told.push_back(name);
  }
};

// Accepts, and then says nothing, or one thing.
class Plain {
 public:
  explicit Plain(std::string says) : says_(std::move(says)), service_(g_socket_service_new()) {
    port_ = g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(service_), nullptr, nullptr);
    g_signal_connect(service_, "incoming", G_CALLBACK(on_incoming), this);
  }
  ~Plain() {
    g_socket_service_stop(service_);
    g_socket_listener_close(G_SOCKET_LISTENER(service_));
    g_object_unref(service_);
    for (GObject *connection : connections_)
      g_object_unref(connection);
  }
  std::string url (const char *scheme = "ws") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_) + "/api";
  }

 private:
  static gboolean on_incoming (GSocketService *, GSocketConnection *connection, GObject *,
                               gpointer data) {
    auto *self = static_cast<Plain *>(data);
    if (self->says_ == "bye")
      return TRUE;
    GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    g_output_stream_write_all(out, self->says_.data(), self->says_.size(), nullptr, nullptr,
                              nullptr);
    self->connections_.push_back(G_OBJECT(g_object_ref(connection)));
    return TRUE;
  }
  std::string says_;
  GSocketService *service_;
  guint16 port_ = 0;
  std::vector<GObject *> connections_;
};

}  // namespace rig
