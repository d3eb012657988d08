// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/redis-link.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "signaling/support/certificate.hpp"

namespace agora::gateway::cluster {

namespace {

// In one turn of the loop, so that nothing else waits for long.
constexpr std::size_t kReadAtOnce = std::size_t{64} << 10U;
constexpr std::size_t kWriteAtOnce = std::size_t{64} << 10U;
// A loop that comes this late may find answers that lay there in time: it reads before it judges.
constexpr std::int64_t kLate_us = 200'000;

// A server that answers one command after another is at work, however many wait: the oldest one
// waits this many times as long as where nothing comes at all.
constexpr int kPatience = 4;

// A lookup that is given up keeps its thread until the resolver gives up, too: of those there are
// few, and TLS' handshakes need them. So a name that isn't answered for is left alone for a while.
constexpr std::int64_t kNameAgain_us = 5'000'000;
constexpr std::size_t kMostNames = 64;
std::map<std::string, std::int64_t> &slow_names () {
  static std::map<std::string, std::int64_t> names;  // until when
  return names;
}

std::string seconds (unsigned ms) {
  return ms % 1'000 == 0 ? std::to_string(ms / 1'000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

RedisLink::RedisLink(RedisAddress address, RedisTls tls, const Limits &limits, Callbacks callbacks)
    : address_(std::move(address)),
      tls_(std::move(tls)),
      limits_(limits),
      callbacks_(std::move(callbacks)),
      flush_([this] { write(); }),
      watch_([this] { look(); }) {
}

RedisLink::~RedisLink() {
  close();
}

std::shared_ptr<RedisLink> RedisLink::open(const RedisAddress &address, const RedisTls &tls,
                                           const Limits &limits, Callbacks callbacks) {
  Self link(new RedisLink(address, tls, limits, std::move(callbacks)));
  link->connect();
  return link;
}

void RedisLink::connect() {
  client_.reset(g_socket_client_new());
  cancellable_.reset(g_cancellable_new());
  // A proxy of the user's desktop is none of Redis'.
  g_socket_client_set_enable_proxy(client_.get(), FALSE);
  g_socket_client_set_tls(client_.get(), tls_.on);
  g_signal_connect(client_.get(), "event", G_CALLBACK(on_event), this);
  watch_us_ = g_get_monotonic_time();
  const auto slow = slow_names().find(address_.host);
  if (slow == slow_names().end() || slow->second <= watch_us_) {
    const ObjectPtr<GSocketConnectable> where(
        g_network_address_new(address_.host.c_str(), address_.port));
    g_socket_client_connect_async(client_.get(), where.get(), cancellable_.get(), on_connected,
                                  new Self(shared_from_this()));
    watch_us_ += std::int64_t{1'000} * limits_.connect_ms;
  }
  watch_.at(watch_us_);
}

void RedisLink::on_event(GSocketClient * /*client*/, GSocketClientEvent event,
                         GSocketConnectable * /*connectable*/, GIOStream *connection,
                         gpointer data) noexcept {
  auto *const self = static_cast<RedisLink *>(data);
  self->step_ = event;
  if (event == G_SOCKET_CLIENT_RESOLVING)
    slow_names().erase(self->address_.host);
  if (event != G_SOCKET_CLIENT_TLS_HANDSHAKING)
    return;
  if (self->tls_.authorities)
    g_tls_connection_set_database(G_TLS_CONNECTION(connection), self->tls_.authorities.get());
  // The link may end before the connection does, which belongs to the handshake until then.
  g_signal_connect_data(
      connection, "accept-certificate", G_CALLBACK(on_certificate),
      new std::weak_ptr<RedisLink>(self->weak_from_this()),
      [] (gpointer link, GClosure *) noexcept {
        delete static_cast<std::weak_ptr<RedisLink> *>(link);
      },
      GConnectFlags(0));
}

gboolean RedisLink::on_certificate(GTlsConnection * /*connection*/, GTlsCertificate *certificate,
                                   GTlsCertificateFlags flags, gpointer data) noexcept {
  if (const auto self = static_cast<std::weak_ptr<RedisLink> *>(data)->lock())
    self->untrusted_ = "its certificate isn't trusted here: " +
                       why_untrusted(certificate, flags, self->address_.host, self->tls_.ca_file,
                                     "--store-ca-file");
  return FALSE;
}

void RedisLink::on_connected(GObject *client, GAsyncResult *result, gpointer data) noexcept {
  const std::unique_ptr<Self> held(static_cast<Self *>(data));
  const auto self = *held;
  GError *error = nullptr;
  ObjectPtr<GSocketConnection> connection(
      g_socket_client_connect_finish(G_SOCKET_CLIENT(client), result, &error));
  const ErrorPtr owned(error);
  if (self->closed_)
    return;
  if (!connection)
    self->fail(self->untrusted_.empty() ? std::string(error->message) : self->untrusted_);
  else
    self->start(std::move(connection));
}

void RedisLink::start(ObjectPtr<GSocketConnection> connection) {
  connection_ = std::move(connection);
  // Commands go out together already; what is left is not to wait.
  g_socket_set_option(g_socket_connection_get_socket(connection_.get()), IPPROTO_TCP, TCP_NODELAY,
                      1, nullptr);
  auto *const input =
      G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(G_IO_STREAM(connection_.get())));
  readable_.reset(g_pollable_input_stream_create_source(input, nullptr));
  g_source_set_callback(readable_.get(), G_SOURCE_FUNC(on_readable), this, nullptr);
  g_source_attach(readable_.get(), g_main_context_get_thread_default());
  watch_us_ = g_get_monotonic_time() + std::int64_t{1'000} * limits_.ping_ms;
  watch_.at(watch_us_);
  const auto open = callbacks_.open;
  open();
}

std::string RedisLink::why_so_late() const {
  if (step_ == G_SOCKET_CLIENT_RESOLVING)
    return "no address for its name";
  return step_ == G_SOCKET_CLIENT_TLS_HANDSHAKING ? "no TLS (is this its port for that?)"
                                                  : "no connection";
}

// Armed for a moment at which something may be due; what is answered in time doesn't touch it.
void RedisLink::look() {
  const Self self = shared_from_this();
  const auto now = g_get_monotonic_time();
  late_ = !late_ && now > watch_us_ + kLate_us;
  if (late_) {
    watch_us_ = now + kLate_us;
  } else if (!connection_) {
    if (step_ == G_SOCKET_CLIENT_RESOLVING && slow_names().size() < kMostNames)
      slow_names().try_emplace(address_.host, now + kNameAgain_us);
    return fail(why_so_late() + " within " + seconds(limits_.connect_ms));
  } else if (expected_.empty()) {
    send({"PING"}, {});
    watch_us_ = now + std::int64_t{1'000} * limits_.ping_ms;
  } else {
    const std::int64_t since_us = expected_.front().since_us;
    const auto limit_us = std::int64_t{1'000} * limits_.answer_ms;
    watch_us_ =
        std::min(std::max(since_us, answered_us_) + limit_us, since_us + kPatience * limit_us);
    if (watch_us_ <= now)
      return fail("no answer within " + seconds(limits_.answer_ms));
    // At the latest then; a ping may be due before.
    watch_us_ = std::min(watch_us_, now + std::int64_t{1'000} * limits_.ping_ms);
  }
  watch_.at(watch_us_);
}

void RedisLink::send(std::span<const std::string_view> command, Answered answered,
                     unsigned replies) {
  if (closed_)
    return;
  if (unsent_.size() - sent_ > limits_.unsent)
    broken_ = "it takes no more commands: " + std::to_string(limits_.unsent >> 20U) +
              " MB of them are unsent";
  else
    unsent_ += format_redis_command(command);
  expected_.push_back({g_get_monotonic_time(), replies, std::move(answered)});
  if (connection_ && !writable_)
    flush_.at(0);
}

gboolean RedisLink::on_readable(GObject * /*stream*/, gpointer data) noexcept {
  const Self self = static_cast<RedisLink *>(data)->shared_from_this();
  self->read();
  return self->readable_ ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void RedisLink::read() {
  std::array<char, kReadAtOnce> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  auto *const input =
      G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(G_IO_STREAM(connection_.get())));
  GError *error = nullptr;
  const auto count =
      g_pollable_input_stream_read_nonblocking(input, bytes.data(), bytes.size(), nullptr, &error);
  const ErrorPtr owned(error);
  if (error && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return;
  if (error)
    return fail_early(error->message);
  if (count == 0)
    return fail_early("it closed the connection");
  heard_ = true;
  parser_.feed({bytes.data(), static_cast<std::size_t>(count)});
  while (!closed_) {
    auto next = parser_.next();
    if (auto *reply = std::get_if<RedisReply>(&next)) {
      if (!take(std::move(*reply)))
        return fail("an answer that nothing was asked for");
    } else if (auto *broken = std::get_if<RedisParser::Broken>(&next)) {
      return fail("it doesn't speak Redis' protocol: " + broken->reason);
    } else {
      return;
    }
  }
}

// False: nobody waits for it.
bool RedisLink::take(RedisReply &&reply) {
  if (callbacks_.message && reply.items.size() == 3 && reply.items[0].text == "message") {
    callbacks_.message(std::move(reply.items[1].text), std::move(reply.items[2].text));
    return true;
  }
  if (expected_.empty())
    return false;
  auto &first = expected_.front();
  // An error is the only reply to a command of several topics.
  if (first.replies > 1 && !reply.is_error()) {
    first.replies--;
    if (const auto answered = first.answered)
      answered(std::move(reply));
    return true;
  }
  const auto answered = std::move(first.answered);
  expected_.pop_front();
  answered_us_ = g_get_monotonic_time();
  if (answered)
    answered(std::move(reply));
  return true;
}

gboolean RedisLink::on_writable(GObject * /*stream*/, gpointer data) noexcept {
  const Self self = static_cast<RedisLink *>(data)->shared_from_this();
  // Anew where it is needed again: the socket may have room for long now.
  self->writable_.reset();
  self->write();
  return G_SOURCE_REMOVE;
}

// What doesn't go, or goes wrong, is left to write().
void RedisLink::hurry() {
  if (!closed_ && connection_ && !writable_ && broken_.empty())
    write_some();
}

// As much as the socket takes at once; why it takes none any more.
std::optional<std::string> RedisLink::write_some() {
  auto *const output =
      G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(G_IO_STREAM(connection_.get())));
  std::size_t now = 0;
  while (sent_ < unsent_.size() && now < 4 * kWriteAtOnce) {
    const auto size = tried_ > 0 ? tried_ : std::min(unsent_.size() - sent_, kWriteAtOnce);
    GError *error = nullptr;
    const auto count = g_pollable_output_stream_write_nonblocking(output, unsent_.data() + sent_,
                                                                  size, nullptr, &error);
    const ErrorPtr owned(error);
    if (count < 0 && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
      tried_ = size;
      break;
    }
    if (count < 0)
      return error->message;
    tried_ = 0;
    sent_ += static_cast<std::size_t>(count);
    now += static_cast<std::size_t>(count);
  }
  return {};
}

void RedisLink::write() {
  const Self self = shared_from_this();
  if (closed_ || !connection_)
    return;
  if (!broken_.empty())
    return fail(broken_);
  if (const auto reason = write_some())
    return fail_early(*reason);
  if (sent_ == unsent_.size()) {
    unsent_.clear();
    sent_ = 0;
    return;
  }
  if (sent_ > unsent_.size() / 2) {
    unsent_.erase(0, sent_);
    sent_ = 0;
  }
  auto *const output =
      G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(G_IO_STREAM(connection_.get())));
  writable_.reset(g_pollable_output_stream_create_source(output, nullptr));
  g_source_set_callback(writable_.get(), G_SOURCE_FUNC(on_writable), this, nullptr);
  g_source_attach(writable_.get(), g_main_context_get_thread_default());
}

// A port for TLS ends what comes without.
void RedisLink::fail_early(const std::string &reason) {
  fail(heard_ || tls_.on ? reason : reason + ", before any answer: does it want rediss://?");
}

void RedisLink::fail(const std::string &reason) {
  if (closed_)
    return;
  const Self self = shared_from_this();
  const auto closed = std::move(callbacks_.closed);
  close();
  closed(reason);
}

void RedisLink::close() {
  if (std::exchange(closed_, true))
    return;
  // Whoever is called right now keeps what it runs in: callbacks_ and what is expected go with the
  // link.
  flush_.stop();
  watch_.stop();
  close_socket();
}

void RedisLink::close_socket() {
  readable_.reset();
  writable_.reset();
  if (client_)
    g_signal_handlers_disconnect_by_data(client_.get(), this);
  if (cancellable_)
    g_cancellable_cancel(cancellable_.get());
  if (!connection_)
    return;
  // Not g_io_stream_close(), which waits for TLS' farewell.
  g_socket_close(g_socket_connection_get_socket(connection_.get()), nullptr);
}

}  // namespace agora::gateway::cluster
