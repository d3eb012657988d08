// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/relay-sockets.hpp"

#include <sys/socket.h>

#include <utility>

#include "signaling/gateway/http/http.hpp"

namespace agora::gateway {

namespace {

// Receive buffer of accepted sockets, which inherit it. Small, so that a publisher soon notices a
// relay that stands still.
constexpr int receive_buffer = 16 * 1024;
constexpr std::int64_t port_wait_us = G_USEC_PER_SEC / 2;

// Until whoever listens there has ended, for a moment at most: a connection to it ends with it.
void await_end_at (const Endpoint &endpoint) {
  ObjectPtr<GSocketAddress> address(
      g_inet_socket_address_new_from_string(endpoint.address.c_str(), endpoint.port));
  ObjectPtr<GSocket> socket(g_socket_new(g_socket_address_get_family(address.get()),
                                         G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, nullptr));
  if (!socket)
    return;
  g_socket_set_blocking(socket.get(), FALSE);
  g_socket_connect(socket.get(), address.get(), nullptr, nullptr);
  g_socket_condition_timed_wait(socket.get(), G_IO_IN, port_wait_us, nullptr, nullptr);
}

// The relay of a gateway that was killed ends with it, but may hold the port a moment longer.
ObjectPtr<GSocket> listen_for_media (const Endpoint &endpoint, GError **error) {
  g_autoptr(GError) first = nullptr;
  if (auto socket = listen_tcp(endpoint, &first))
    return socket;
  if (g_error_matches(first, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
    await_end_at(endpoint);
  return listen_tcp(endpoint, error);
}

bool listen_by (const Endpoint &endpoint, std::size_t workers,
                std::vector<ObjectPtr<GSocket>> &sockets, GError **error) {
  // Alone, so that a port that somebody else has is noticed.
  auto first = listen_for_media(endpoint, error);
  if (!first)
    return false;
  if (workers == 1) {
    sockets.push_back(std::move(first));
  } else {
    Endpoint shared = endpoint;
    shared.port = port_of(first.get());
    first.reset();
    while (sockets.size() < workers) {
      auto next = listen_tcp(shared, error, true);
      if (!next)
        return false;
      sockets.push_back(std::move(next));
    }
  }
  for (const auto &socket : sockets)
    if (!g_socket_set_option(socket.get(), SOL_SOCKET, SO_RCVBUF, receive_buffer, error))
      return false;
  return true;
}

}  // namespace

std::string listen_for_relay (const char *name, const Endpoint &endpoint, std::size_t workers,
                              std::vector<ObjectPtr<GSocket>> &sockets) {
  g_autoptr(GError) error = nullptr;
  if (listen_by(endpoint, workers, sockets, &error))
    return {};
  return std::string("--") + name + "=" + to_string(endpoint) + ": " + error->message;
}

}  // namespace agora::gateway
