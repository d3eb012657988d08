// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/front/member-socket.hpp"

#include <sys/socket.h>

#include <utility>

#include "signaling/gateway/front/bounded-stream.hpp"
#include "signaling/gateway/http/linger.hpp"

namespace agora::gateway {

namespace {

// How much of what a peer doesn't read waits in the kernel.
constexpr int send_buffer = 64 * 1024;
// From close() to the end of the connection when the peer doesn't answer.
constexpr unsigned close_limit_ms = 2000;
constexpr std::size_t longest_close_reason = 123;
// Counts the iterations of the loop in which something is sent. Main loop only.
std::uint64_t loop_turn () {
  static std::uint64_t turn = 1;
  static bool armed = false;
  if (!std::exchange(armed, true)) {
    auto next = [] (gpointer) noexcept -> gboolean {
      turn++;
      armed = false;
      return G_SOURCE_REMOVE;
    };
    // At default priority: a busy loop would never come to a lower one.
    g_idle_add_full(G_PRIORITY_DEFAULT, next, nullptr, nullptr);
  }
  return turn;
}

}  // namespace

TextFrame::TextFrame(std::string_view text) {
  constexpr std::size_t short_text = 126;
  constexpr std::size_t medium_text = 65536;
  const auto size = static_cast<std::uint64_t>(text.size());
  const unsigned length_bytes = size < short_text ? 0 : size < medium_text ? 2 : 8;
  bytes_.reserve(2 + length_bytes + text.size());
  bytes_ += '\x81';
  bytes_ += static_cast<char>(length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127);
  for (unsigned left = length_bytes; left > 0; left--)
    bytes_ += static_cast<char>(size >> (8 * (left - 1)));
  head_ = bytes_.size();
  bytes_ += text;
}

MemberSocket::MemberSocket(SoupWebsocketConnection *connection, GSocket *socket,
                           const FrameLimits &limits, Callbacks callbacks)
    : connection_(share(connection)),
      socket_(share(socket)),
      limits_(limits),
      callbacks_(std::move(callbacks)),
      cut_([this] { cut(); }) {
  g_socket_set_option(socket, SOL_SOCKET, SO_SNDBUF, send_buffer, nullptr);
  soup_websocket_connection_set_max_incoming_payload_size(connection, limits.bytes);
  g_signal_connect(connection, "message", G_CALLBACK(on_message), this);
  g_signal_connect(connection, "error", G_CALLBACK(on_error), this);
  g_signal_connect(connection, "closed", G_CALLBACK(on_closed), this);
}

MemberSocket::~MemberSocket() {
  g_signal_handlers_disconnect_by_data(connection_.get(), this);
  if (soup_websocket_connection_get_state(connection_.get()) != SOUP_WEBSOCKET_STATE_CLOSED)
    cut();
}

void MemberSocket::on_message(SoupWebsocketConnection *, gint type, GBytes *message,
                              gpointer data) noexcept {
  auto *self = static_cast<MemberSocket *>(data);
  // After the end was decided, further messages renew nothing.
  if (self->closing_)
    return;
  bounded_stream_renew(soup_websocket_connection_get_io_stream(self->connection_.get()),
                       g_bytes_get_size(message));
  if (type != SOUP_WEBSOCKET_DATA_TEXT) {
    self->close(SOUP_WEBSOCKET_CLOSE_UNSUPPORTED_DATA, "expected text frames");
    return;
  }
  gsize size = 0;
  const auto *text = static_cast<const char *>(g_bytes_get_data(message, &size));
  self->callbacks_.text({text, size});
}

// libsoup has sent a close frame, and would wait for ever for a peer that goes on sending. Where a
// frame or message is too long, it breaks the connection instead, and says nothing.
void MemberSocket::on_error(SoupWebsocketConnection *, GError *error, gpointer data) noexcept {
  auto *self = static_cast<MemberSocket *>(data);
  g_info("Closing a member: %s", error->message);
  if (g_error_matches(error, SOUP_WEBSOCKET_ERROR, SOUP_WEBSOCKET_CLOSE_TOO_BIG) ||
      g_error_matches(error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    self->say_too_big();
  self->closing_ = true;
  self->cut_.in(close_limit_ms);
}

void MemberSocket::say_too_big() {
  if (soup_websocket_connection_get_state(connection_.get()) != SOUP_WEBSOCKET_STATE_OPEN ||
      g_socket_is_closed(socket_.get()))
    return;
  constexpr std::string_view close_frame = "\x88\x02\x03\xf1";  // 1009
  auto *stream = soup_websocket_connection_get_io_stream(connection_.get());
  // False as well where a frame is half written, and no other can follow.
  if (!bounded_stream_write(stream, close_frame) && !bounded_stream_is_direct(stream))
    g_pollable_output_stream_write_nonblocking(
        G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream)), close_frame.data(),
        close_frame.size(), nullptr, nullptr);
  linger(g_socket_get_fd(socket_.get()));
}

void MemberSocket::on_closed(SoupWebsocketConnection *, gpointer data) noexcept {
  auto *self = static_cast<MemberSocket *>(data);
  self->writable_.reset();
  self->cut_.stop();
  auto closed = std::exchange(self->callbacks_.closed, nullptr);
  if (closed)
    closed();
}

bool MemberSocket::writable() const {
  return (g_socket_condition_check(socket_.get(), G_IO_OUT) & G_IO_OUT) != 0;
}

void MemberSocket::hand_over(std::string_view text) {
  if (soup_websocket_connection_get_state(connection_.get()) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_send_message(connection_.get(), SOUP_WEBSOCKET_DATA_TEXT,
                                           BytesPtr(g_bytes_new(text.data(), text.size())).get());
}

void MemberSocket::send(const TextFrame &frame) {
  // It is ending; the rules of the channel don't know yet.
  if (closing_ || g_socket_is_closed(socket_.get()))
    return;
  const auto text = frame.text();
  if (queue_.empty() &&
      soup_websocket_connection_get_state(connection_.get()) == SOUP_WEBSOCKET_STATE_OPEN &&
      bounded_stream_write(soup_websocket_connection_get_io_stream(connection_.get()),
                           frame.bytes()))
    return;
  // Once in an iteration of the loop: libsoup writes only in the next one, and frames in its queue
  // would not be counted by ours.
  const bool can_write = writable();
  if (queue_.empty() && can_write && handed_in_ != loop_turn()) {
    handed_in_ = loop_turn();
    hand_over(text);
    return;
  }
  // Only for a peer that reads nothing: a burst may be longer than the bound.
  if (queued_ + text.size() > limits_.queue_bytes && !can_write) {
    g_message("A member doesn't read: closing it with %zu bytes waiting", queued_);
    queue_.clear();
    queued_ = 0;
    close(SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION, "too much is waiting to be read");
    cut();
    return;
  }
  queue_.emplace_back(text);
  queued_ += text.size();
  wait_writable();
}

void MemberSocket::wait_writable() {
  if (writable_)
    return;
  auto *source = g_socket_create_source(socket_.get(), G_IO_OUT, nullptr);
  g_source_set_callback(source, G_SOURCE_FUNC(on_writable), this, nullptr);
  g_source_attach(source, g_main_context_get_thread_default());
  writable_ = SourcePtr(source);
}

gboolean MemberSocket::on_writable(GSocket *, GIOCondition, gpointer data) noexcept {
  auto *self = static_cast<MemberSocket *>(data);
  self->flush();
  return G_SOURCE_CONTINUE;
}

void MemberSocket::flush() {
  constexpr std::size_t piece = 16 * 1024;
  std::size_t given = 0;
  while (!queue_.empty() && given < piece && writable()) {
    given += queue_.front().size();
    hand_over(queue_.front());
    queue_.pop_front();
  }
  queued_ -= given;
  if (!queue_.empty())
    return;
  writable_.reset();
  if (closing_)
    begin_close();
}

void MemberSocket::close(unsigned short code, const std::string &reason) {
  if (std::exchange(closing_, true))
    return;
  close_code_ = code;
  close_reason_ = reason.substr(0, longest_close_reason);
  cut_.in(close_limit_ms);
  if (queue_.empty())
    begin_close();
}

void MemberSocket::begin_close() {
  if (soup_websocket_connection_get_state(connection_.get()) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close(connection_.get(), close_code_, close_reason_.c_str());
}

// libsoup then finds the end of the stream and emits `closed`.
void MemberSocket::cut() {
  g_socket_shutdown(socket_.get(), TRUE, TRUE, nullptr);
}

}  // namespace agora::gateway
