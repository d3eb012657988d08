// SPDX-License-Identifier: LGPL-2.1-or-later
#include <libsoup/soup.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "signaling/client/thread-default.hpp"
#include "signaling/client/transport-errors.hpp"
#include "signaling/client/transport.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/certificate.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/guarded.hpp"

namespace agora::client {
namespace {

constexpr std::size_t max_frame = 64 * 1024;
// How long a closed connection may take to deliver what was sent and to shake hands.
constexpr unsigned linger_ms = 1'000;
constexpr const char *chooser = "the server that chooses a gateway";

std::int64_t monotonic_ms () {
  return g_get_monotonic_time() / 1000;
}

SourcePtr attach_timeout (GMainContext *context, unsigned ms, GSourceFunc function, gpointer data,
                          GDestroyNotify destroy = nullptr) {
  SourcePtr source(g_timeout_source_new(ms));
  g_source_set_callback(source.get(), function, data, destroy);
  g_source_attach(source.get(), context);
  return source;
}

class SoupTransport final : public Transport {
 public:
  SoupTransport(GMainContext *context, Events *events)
      : context_(g_main_context_ref(context)), events_(events) {}
  ~SoupTransport() override { close(); }

  void open (const Destination &destination) override;
  void send (const std::string &text) override;
  void close () override;

 private:
  // The data of an asynchronous call of libsoup. When it returns, the transport may be gone, or at
  // another attempt.
  struct Attempt {
    SoupTransport *self;  // nullptr once it is over
    ObjectPtr<GCancellable> cancellable{g_cancellable_new()};
    ObjectPtr<SoupMessage> message;
    std::string url;
    std::int64_t since = monotonic_ms();
    bool timed_out = false;
    SourcePtr timer;
    std::vector<char> body;
  };
  using AttemptPtr = std::shared_ptr<Attempt>;

  AttemptPtr begin (const char *method, const std::string &url, unsigned timeout_ms);
  void end_attempt ();
  bool make_session ();
  void choose ();
  void choice_failed (const Trouble &trouble);
  void try_next_server ();
  void chosen (std::string_view body);
  void connect (const std::string &url, unsigned timeout_ms);
  void connected (SoupWebsocketConnection *connection, std::int64_t since);
  void peer_failed (const Trouble &trouble);
  void fail_soon (Trouble trouble);

  static void on_choose_answer (GObject *source, GAsyncResult *result, gpointer data) noexcept;
  static void on_choose_body (GObject *source, GAsyncResult *result, gpointer data) noexcept;
  static void on_connected (GObject *source, GAsyncResult *result, gpointer data) noexcept;
  static void on_message (SoupWebsocketConnection *connection, int type, GBytes *message,
                          gpointer data) noexcept;
  static void on_closed (SoupWebsocketConnection *connection, gpointer data) noexcept;
  static void on_error (SoupWebsocketConnection *connection, GError *error, gpointer data) noexcept;
  Trouble trouble_with (const Attempt &attempt, const GError &error, const char *what) const;
  std::string why_refused (SoupMessage *message) const;

  ContextPtr context_;
  Events *events_;
  Destination destination_;
  ObjectPtr<SoupSession> session_;
  AttemptPtr attempt_;
  ObjectPtr<SoupWebsocketConnection> connection_;
  SourcePtr soon_;
  Trouble soon_trouble_;
  std::string stream_error_;
  std::vector<std::string> servers_;  // still to be tried, the next one last
  std::string vid_;
  std::string failures_;
  AgoraError failure_ = AGORA_ERROR_UNTRUSTED;  // what they come to; while there is none, this
};

void SoupTransport::open(const Destination &destination) {
  close();
  destination_ = destination;
  vid_.clear();
  failures_.clear();
  failure_ = AGORA_ERROR_UNTRUSTED;
  servers_.clear();
  ThreadDefault scope(context_.get());
  if (!make_session())
    return;
  if (destination_.ap_url.empty())
    connect(destination_.gateway, destination_.connect_timeout_ms);
  else
    choose();
}

void SoupTransport::send(const std::string &text) {
  if (connection_ != nullptr &&
      soup_websocket_connection_get_state(connection_.get()) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_send_text(connection_.get(), text.c_str());
}

void SoupTransport::close() {
  end_attempt();
  soon_.reset();
  if (connection_ == nullptr)
    return;
  g_signal_handlers_disconnect_by_data(connection_.get(), this);
  if (soup_websocket_connection_get_state(connection_.get()) == SOUP_WEBSOCKET_STATE_OPEN) {
    soup_websocket_connection_close(connection_.get(), SOUP_WEBSOCKET_CLOSE_NORMAL, nullptr);
    // Dropping the last reference cuts the connection, so it is kept until the close frame is sent.
    auto *keep = new ObjectPtr<SoupWebsocketConnection>(std::move(connection_));
    GSource *source = g_timeout_source_new(linger_ms);
    g_source_set_callback(
        source, [] (gpointer) noexcept -> gboolean { return G_SOURCE_REMOVE; }, keep,
        [] (gpointer data) noexcept {
          delete static_cast<ObjectPtr<SoupWebsocketConnection> *>(data);
        });
    g_signal_connect_data(
        keep->get(), "closed", G_CALLBACK(+[] (SoupWebsocketConnection *, GSource *timer) noexcept {
          g_source_destroy(timer);
        }),
        g_source_ref(source),
        [] (gpointer data, GClosure *) noexcept { g_source_unref(static_cast<GSource *>(data)); },
        static_cast<GConnectFlags>(0));
    g_source_attach(source, context_.get());
    g_source_unref(source);
  }
  connection_.reset();
}

bool SoupTransport::make_session() {
  // A new one each time: a session remembers which addresses a name had.
  session_.reset(soup_session_new());
  if (destination_.ca_file.empty())
    return true;
  g_autoptr(GError) error = nullptr;
  g_autoptr(GTlsDatabase) database = g_tls_file_database_new(destination_.ca_file.c_str(), &error);
  if (database == nullptr) {
    session_.reset();
    fail_soon({AGORA_ERROR_INVALID_ARGUMENT,
               "ca-file " + protocol::quoted(destination_.ca_file) +
                   ": expected a file of PEM certificates: " + error->message});
    return false;
  }
  soup_session_set_tls_database(session_.get(), database);
  return true;
}

SoupTransport::AttemptPtr SoupTransport::begin(const char *method, const std::string &url,
                                               unsigned timeout_ms) {
  auto attempt = std::make_shared<Attempt>();
  attempt->self = this;
  attempt->url = url;
  attempt->message.reset(soup_message_new(method, url.c_str()));
  if (attempt->message == nullptr)
    return nullptr;
  attempt->timer = attach_timeout(
      context_.get(), timeout_ms,
      [] (gpointer data) -> gboolean {
        auto *late = static_cast<Attempt *>(data);
        late->timed_out = true;
        g_cancellable_cancel(late->cancellable.get());
        return G_SOURCE_REMOVE;
      },
      attempt.get());
  attempt_ = attempt;
  return attempt;
}

void SoupTransport::end_attempt() {
  if (attempt_ == nullptr)
    return;
  AttemptPtr attempt = std::move(attempt_);
  attempt->self = nullptr;
  attempt->timer.reset();
  g_cancellable_cancel(attempt->cancellable.get());
}

// Choosing a server.

void SoupTransport::choose() {
  AttemptPtr attempt;
  if (is_url_of(destination_.ap_url, {"http", "https"}))
    attempt = begin("POST", destination_.ap_url, destination_.connect_timeout_ms);
  if (attempt == nullptr) {
    fail_soon(bad_url("ap-url", destination_.ap_url, "an http:// or https:// URL"));
    return;
  }
  SoupMessage *message = attempt->message.get();
  SoupMessageHeaders *headers = soup_message_get_request_headers(message);
  soup_message_headers_append(headers, "X-Packet-URI", "61");
  soup_message_headers_append(headers, "X-Packet-Service-Type", "0");
  std::string body = protocol::encode(destination_.choose);
  g_autoptr(GBytes) bytes = g_bytes_new(body.data(), body.size());
  soup_message_set_request_body_from_bytes(message, "application/json", bytes);
  soup_session_send_async(session_.get(), message, G_PRIORITY_DEFAULT, attempt->cancellable.get(),
                          on_choose_answer, new AttemptPtr(attempt));
}

void SoupTransport::on_choose_answer(GObject *source, GAsyncResult *result,
                                     gpointer data) noexcept {
  std::unique_ptr<AttemptPtr> held(static_cast<AttemptPtr *>(data));
  Attempt &attempt = **held;
  g_autoptr(GError) error = nullptr;
  g_autoptr(GInputStream) stream = soup_session_send_finish(SOUP_SESSION(source), result, &error);
  if (attempt.self == nullptr)
    return;
  guint status = soup_message_get_status(attempt.message.get());
  if (stream == nullptr) {
    attempt.self->choice_failed(attempt.self->trouble_with(attempt, *error, chooser));
  } else if (status != SOUP_STATUS_OK) {
    attempt.self->choice_failed(
        {AGORA_ERROR_NO_SERVER, attempt.url + ": HTTP " + std::to_string(status) +
                                    " in place of a choice of gateways: is the path right?"});
  } else {
    attempt.body.resize(max_frame);
    GCancellable *cancellable = attempt.cancellable.get();
    gsize size = attempt.body.size();
    g_input_stream_read_all_async(stream, attempt.body.data(), size, G_PRIORITY_DEFAULT,
                                  cancellable, on_choose_body, held.release());
  }
}

void SoupTransport::on_choose_body(GObject *source, GAsyncResult *result, gpointer data) noexcept {
  std::unique_ptr<AttemptPtr> held(static_cast<AttemptPtr *>(data));
  Attempt &attempt = **held;
  gsize size = 0;
  g_autoptr(GError) error = nullptr;
  bool read = g_input_stream_read_all_finish(G_INPUT_STREAM(source), result, &size, &error);
  if (attempt.self == nullptr)
    return;
  guarded("choosing a gateway", [&] {
    if (read)
      attempt.self->chosen({attempt.body.data(), size});
    else
      attempt.self->choice_failed(attempt.self->trouble_with(attempt, *error, chooser));
  });
}

void SoupTransport::choice_failed(const Trouble &trouble) {
  end_attempt();
  events_->open_failed(trouble);
}

void SoupTransport::chosen(std::string_view body) {
  const std::string &from = destination_.ap_url;
  auto decoded = protocol::decode_choose_answer(body);
  if (const auto *error = std::get_if<protocol::DecodeError>(&decoded)) {
    choice_failed(
        {AGORA_ERROR_NO_SERVER, from + ": the answer is no choice of gateways: " + error->reason});
    return;
  }
  const auto &answer = std::get<protocol::ChooseAnswer>(decoded);
  if (answer.code != protocol::Code::ok) {
    Trouble trouble = trouble_of(answer.code, "no gateway for this request", from);
    if (trouble.code == AGORA_ERROR_INVALID_APP)
      trouble.text = "app id " + protocol::quoted(destination_.choose.app_id) + ": not known at " +
                     from + " (code 101)";
    else if (!is_final(trouble.code))
      trouble.code = AGORA_ERROR_NO_SERVER;
    choice_failed(trouble);
    return;
  }
  vid_ = std::to_string(answer.vid);
  for (const protocol::ChosenServer &server : answer.servers)
    if (std::string url = protocol::socket_url(server); !url.empty())
      servers_.push_back(std::move(url));
  std::reverse(servers_.begin(), servers_.end());
  if (servers_.empty())
    choice_failed({AGORA_ERROR_NO_SERVER, from + ": the answer names no gateway"});
  else
    try_next_server();
}

void SoupTransport::try_next_server() {
  end_attempt();
  std::string next = std::move(servers_.back());
  servers_.pop_back();
  ThreadDefault scope(context_.get());
  connect(next, destination_.server_timeout_ms);
}

// The socket.

void SoupTransport::connect(const std::string &url, unsigned timeout_ms) {
  bool is_socket = is_url_of(url, {"ws", "wss"});
  AttemptPtr attempt = is_socket ? begin("GET", url, timeout_ms) : nullptr;
  if (attempt == nullptr) {
    fail_soon(bad_url(destination_.ap_url.empty() ? "gateway" : "the chosen gateway", url,
                      "a ws:// or wss:// URL"));
    return;
  }
  soup_session_websocket_connect_async(session_.get(), attempt->message.get(), nullptr, nullptr,
                                       G_PRIORITY_DEFAULT, attempt->cancellable.get(), on_connected,
                                       new AttemptPtr(attempt));
}

void SoupTransport::on_connected(GObject *source, GAsyncResult *result, gpointer data) noexcept {
  std::unique_ptr<AttemptPtr> held(static_cast<AttemptPtr *>(data));
  Attempt &attempt = **held;
  g_autoptr(GError) error = nullptr;
  ObjectPtr<SoupWebsocketConnection> connection(
      soup_session_websocket_connect_finish(SOUP_SESSION(source), result, &error));
  SoupTransport *self = attempt.self;
  if (self == nullptr)
    return;
  if (connection == nullptr) {
    const Trouble trouble = self->trouble_with(attempt, *error, "the gateway");
    self->end_attempt();
    self->peer_failed(trouble);
    return;
  }
  self->end_attempt();
  self->connected(connection.release(), attempt.since);
}

void SoupTransport::connected(SoupWebsocketConnection *connection, std::int64_t since) {
  connection_.reset(connection);
  stream_error_.clear();
  soup_websocket_connection_set_max_incoming_payload_size(connection, max_frame);
  g_signal_connect(connection, "message", G_CALLBACK(on_message), this);
  g_signal_connect(connection, "error", G_CALLBACK(on_error), this);
  g_signal_connect(connection, "closed", G_CALLBACK(on_closed), this);
  events_->opened(vid_, since);
}

void SoupTransport::peer_failed(const Trouble &trouble) {
  if (destination_.ap_url.empty()) {
    events_->open_failed(trouble);
    return;
  }
  failures_ += (failures_.empty() ? "" : "; ") + trouble.text;
  // One that may be back keeps all of them worth another try.
  if (trouble.code != AGORA_ERROR_UNTRUSTED)
    failure_ = AGORA_ERROR_UNREACHABLE;
  if (servers_.empty()) {
    events_->open_failed({failure_, "none of the chosen gateways could be reached: " + failures_});
    return;
  }
  try_next_server();
}

// No event comes from within open().
void SoupTransport::fail_soon(Trouble trouble) {
  soon_trouble_ = std::move(trouble);
  soon_ = attach_timeout(
      context_.get(), 0,
      [] (gpointer data) -> gboolean {
        auto *self = static_cast<SoupTransport *>(data);
        SourcePtr keep = std::move(self->soon_);
        self->events_->open_failed(std::exchange(self->soon_trouble_, {}));
        return G_SOURCE_REMOVE;
      },
      this);
}

void SoupTransport::on_message(SoupWebsocketConnection *, int type, GBytes *message,
                               gpointer data) noexcept {
  auto *self = static_cast<SoupTransport *>(data);
  gsize size = 0;
  const auto *bytes = static_cast<const char *>(g_bytes_get_data(message, &size));
  if (type == SOUP_WEBSOCKET_DATA_TEXT)
    self->events_->frame({bytes, size});
  else
    self->events_->garbled("a binary frame: expected text");
}

void SoupTransport::on_error(SoupWebsocketConnection *, GError *error, gpointer data) noexcept {
  static_cast<SoupTransport *>(data)->stream_error_ = error->message;
}

void SoupTransport::on_closed(SoupWebsocketConnection *connection, gpointer data) noexcept {
  auto *self = static_cast<SoupTransport *>(data);
  std::string why = describe_close(soup_websocket_connection_get_close_code(connection),
                                   soup_websocket_connection_get_close_data(connection));
  if (!self->stream_error_.empty())
    why = self->stream_error_;
  g_signal_handlers_disconnect_by_data(connection, self);
  // libsoup still holds the connection while it emits.
  self->connection_.reset();
  self->events_->closed(why);
}

// What is wrong with the peer's certificate, where something is.
std::string SoupTransport::why_refused(SoupMessage *message) const {
  GTlsCertificate *certificate = soup_message_get_tls_peer_certificate(message);
  const GTlsCertificateFlags flags = soup_message_get_tls_peer_certificate_errors(message);
  if (certificate == nullptr || flags == 0)
    return {};
  return why_untrusted(certificate, flags, g_uri_get_host(soup_message_get_uri(message)),
                       destination_.ca_file);
}

Trouble SoupTransport::trouble_with(const Attempt &attempt, const GError &error,
                                    const char *what) const {
  if (attempt.timed_out)
    return {AGORA_ERROR_UNREACHABLE, attempt.url + ": " + what + " does not answer: no reply in " +
                                         std::to_string(monotonic_ms() - attempt.since) + " ms"};
  SoupMessage *message = attempt.message.get();
  return connect_trouble(attempt.url, what, error, soup_message_get_status(message),
                         why_refused(message));
}

}  // namespace

std::unique_ptr<Transport> make_soup_transport (GMainContext *context, Transport::Events *events) {
  return std::make_unique<SoupTransport>(context, events);
}

}  // namespace agora::client
