// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/http/http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "signaling/gateway/channel/media-url.hpp"

namespace agora::gateway {

namespace {

constexpr int backlog = 4096;
constexpr const char *body_key = "agora-body";

struct Body {
  std::string text;
  std::size_t limit;
  bool too_long = false;
};

void on_chunk (SoupServerMessage *, GBytes *chunk, gpointer data) {
  auto *body = static_cast<Body *>(data);
  gsize size = 0;
  const auto *bytes = static_cast<const char *>(g_bytes_get_data(chunk, &size));
  if (body->too_long || size > body->limit - body->text.size()) {
    body->too_long = true;
    body->text.clear();
    return;
  }
  body->text.append(bytes, size);
}

void on_request_started (SoupServer *, SoupServerMessage *message, gpointer limit) {
  soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
  auto *body = new Body{"", GPOINTER_TO_SIZE(limit)};
  g_object_set_data_full(G_OBJECT(message), body_key, body,
                         [] (gpointer data) { delete static_cast<Body *>(data); });
  g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), body);
}

}  // namespace

ObjectPtr<GSocket> listen_tcp (const Endpoint &endpoint, GError **error) {
  ObjectPtr<GSocketAddress> address(
      g_inet_socket_address_new_from_string(endpoint.address.c_str(), endpoint.port));
  ObjectPtr<GSocket> socket(g_socket_new(g_socket_address_get_family(address.get()),
                                         G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error));
  if (!socket || !g_socket_bind(socket.get(), address.get(), TRUE, error))
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

void bound_bodies (SoupServer *server, std::size_t limit) {
  g_signal_connect(server, "request-started", G_CALLBACK(on_request_started),
                   GSIZE_TO_POINTER(limit));
}

std::optional<std::string_view> body_of (SoupServerMessage *message) {
  const auto *body = static_cast<Body *>(g_object_get_data(G_OBJECT(message), body_key));
  if (body == nullptr || body->too_long)
    return {};
  return body->text;
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
