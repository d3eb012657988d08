// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/http/http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/http/linger.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

namespace {

constexpr int backlog = 4096;
constexpr const char *body_key = "agora-body";
// Each piece is work, however short it is.
constexpr unsigned most_pieces = 256;

constexpr const char *refusal_key = "agora-refusal-headers";

struct Body {
  std::string text;
  BodyLimit limit_of;
  SoupServer *server = nullptr;  // it outlives its messages
  std::size_t limit = 0;
  unsigned pieces = 0;
  bool refused = false;
};

// Answers at once and ends the connection: libsoup would read the body to its end before anything
// is answered.
void end_with_413 (SoupServerMessage *message, const Body &body) {
  const auto *more =
      static_cast<RefusalHeaders *>(g_object_get_data(G_OBJECT(body.server), refusal_key));
  const std::string headers = more != nullptr ? (*more)(message) : std::string();
  auto *socket = Acceptor::socket_of(message);
  ObjectPtr<GIOStream> stream(soup_server_message_steal_connection(message));
  if (!stream)
    return;
  const std::string text =
      R"({"status":"error","message":"the body is too long: expected at most )" +
      std::to_string(body.limit) + " bytes in " + std::to_string(most_pieces) + " pieces\"}\n";
  const std::string answer =
      "HTTP/1.1 413 Payload Too Large\r\nServer: agora-gateway\r\nConnection: close\r\n"
      "Content-Type: application/json\r\n" +
      headers + "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
  // Nothing was written before, so that there is room for it.
  g_pollable_output_stream_write_nonblocking(
      G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream.get())), answer.data(),
      answer.size(), nullptr, nullptr);
  linger(g_socket_get_fd(socket));
  g_socket_close(socket, nullptr);
}

void refuse_body (SoupServerMessage *message, Body &body) {
  if (std::exchange(body.refused, true))
    return;
  body.text.clear();
  g_message("A request from %s was refused: its body is too long",
            plain_address(peer_address(Acceptor::socket_of(message))).c_str());
  // Later: libsoup is in the middle of reading.
  soup_server_message_pause(message);
  auto later = [] (gpointer data) noexcept -> gboolean {
    auto *refused = SOUP_SERVER_MESSAGE(data);
    end_with_413(refused, *static_cast<Body *>(g_object_get_data(G_OBJECT(refused), body_key)));
    return G_SOURCE_REMOVE;
  };
  g_idle_add_full(G_PRIORITY_DEFAULT, later, g_object_ref(message), g_object_unref);
}

void on_headers (SoupServerMessage *message, gpointer data) noexcept {
  auto *body = static_cast<Body *>(data);
  body->limit = body->limit_of(g_uri_get_path(soup_server_message_get_uri(message)));
  auto *headers = soup_server_message_get_request_headers(message);
  // libsoup would serve ranges of every answer, as many and as large as are asked for.
  soup_message_headers_remove(headers, "Range");
  if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH &&
      soup_message_headers_get_content_length(headers) > static_cast<goffset>(body->limit))
    refuse_body(message, *body);
}

void on_chunk (SoupServerMessage *message, GBytes *chunk, gpointer data) noexcept {
  auto *body = static_cast<Body *>(data);
  gsize size = 0;
  const auto *bytes = static_cast<const char *>(g_bytes_get_data(chunk, &size));
  if (body->refused)
    return;
  if (size > body->limit - body->text.size() || ++body->pieces > most_pieces)
    refuse_body(message, *body);
  else
    body->text.append(bytes, size);
}

void on_request_started (SoupServer *server, SoupServerMessage *message, gpointer limit) noexcept {
  soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
  auto *body = new Body{"", reinterpret_cast<BodyLimit>(limit), server};
  g_object_set_data_full(G_OBJECT(message), body_key, body,
                         [] (gpointer data) noexcept { delete static_cast<Body *>(data); });
  g_signal_connect(message, "got-headers", G_CALLBACK(on_headers), body);
  g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), body);
}

// GSocket's own forbids it for TCP.
bool bind_shared (GSocket *socket, GSocketAddress *address, GError **error) {
  sockaddr_storage native{};
  if (!g_socket_set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1, error) ||
      !g_socket_set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1, error) ||
      !g_socket_address_to_native(address, &native, sizeof native, error))
    return false;
  if (bind(g_socket_get_fd(socket), reinterpret_cast<sockaddr *>(&native),
           static_cast<socklen_t>(g_socket_address_get_native_size(address))) == 0)
    return true;
  g_set_error_literal(error, G_IO_ERROR, static_cast<gint>(g_io_error_from_errno(errno)),
                      g_strerror(errno));
  return false;
}

}  // namespace

ObjectPtr<GSocket> listen_tcp (const Endpoint &endpoint, GError **error, bool shared) {
  ObjectPtr<GSocketAddress> address(
      g_inet_socket_address_new_from_string(endpoint.address.c_str(), endpoint.port));
  ObjectPtr<GSocket> socket(g_socket_new(g_socket_address_get_family(address.get()),
                                         G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error));
  if (!socket || !(shared ? bind_shared(socket.get(), address.get(), error)
                          : g_socket_bind(socket.get(), address.get(), TRUE, error)))
    return nullptr;
  g_socket_set_listen_backlog(socket.get(), backlog);
  // Accepted sockets inherit it: small frames must not wait for an acknowledgement.
  if (!g_socket_set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1, error) ||
      !g_socket_listen(socket.get(), error))
    return nullptr;
  return socket;
}

std::uint16_t port_of (GSocket *socket) {
  ObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket, nullptr));
  return g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(local.get()));
}

std::string peer_address (GSocket *socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  char text[INET6_ADDRSTRLEN] = "";
  if (getpeername(g_socket_get_fd(socket), reinterpret_cast<sockaddr *>(&peer), &size) != 0)
    return "";
  const void *address = nullptr;
  if (peer.ss_family == AF_INET)
    address = &reinterpret_cast<sockaddr_in *>(&peer)->sin_addr;
  else if (peer.ss_family == AF_INET6)
    address = &reinterpret_cast<sockaddr_in6 *>(&peer)->sin6_addr;
  else
    return "";
  return inet_ntop(peer.ss_family, address, text, sizeof text);
}

void bound_requests (SoupServer *server, BodyLimit limit) {
  g_signal_connect(server, "request-started", G_CALLBACK(on_request_started),
                   reinterpret_cast<gpointer>(limit));
}

void set_refusal_headers (SoupServer *server, RefusalHeaders headers) {
  g_object_set_data_full(
      G_OBJECT(server), refusal_key, new RefusalHeaders(std::move(headers)),
      [] (gpointer data) noexcept { delete static_cast<RefusalHeaders *>(data); });
}

std::string_view body_of (SoupServerMessage *message) {
  const auto *body = static_cast<Body *>(g_object_get_data(G_OBJECT(message), body_key));
  return body != nullptr ? std::string_view(body->text) : std::string_view();
}

void respond (SoupServerMessage *message, guint status, const char *type, std::string_view body) {
  soup_server_message_set_status(message, status, nullptr);
  soup_server_message_set_response(message, type, SOUP_MEMORY_COPY, body.data(), body.size());
}

std::string own_host (const Endpoint &endpoint, const std::string &public_host) {
  if (!public_host.empty())
    return public_host;
  ObjectPtr<GInetAddress> address(g_inet_address_new_from_string(endpoint.address.c_str()));
  if (!g_inet_address_get_is_any(address.get()))
    return url_host(endpoint.address);
  return g_inet_address_get_family(address.get()) == G_SOCKET_FAMILY_IPV6 ? "[::1]" : "127.0.0.1";
}

}  // namespace agora::gateway
