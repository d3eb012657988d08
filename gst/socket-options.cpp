// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/socket-options.hpp"

#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <map>
#include <mutex>
#include <utility>

namespace agora {

namespace {

constexpr int send_buffer_bytes = 4096;
constexpr int unacknowledged_ms = 4000;
constexpr unsigned rtmp_port = 1935;

struct Peers {
  std::mutex mutex;
  std::map<std::string, unsigned> users;  // under mutex: "host:port", how many want it
};

Peers &peers () {
  // Never destroyed: the hook outlives everything.
  static auto *all = new Peers;
  return *all;
}

std::string peer_name (const char *host, unsigned port) {
  return std::string(host) + ":" + std::to_string(port);
}

bool is_ours (GSocketConnectable *connectable) {
  std::string name;
  if (G_IS_NETWORK_ADDRESS(connectable)) {
    auto *address = G_NETWORK_ADDRESS(connectable);
    name = peer_name(g_network_address_get_hostname(address), g_network_address_get_port(address));
  } else if (G_IS_INET_SOCKET_ADDRESS(connectable)) {
    auto *address = G_INET_SOCKET_ADDRESS(connectable);
    g_autofree char *host = g_inet_address_to_string(g_inet_socket_address_get_address(address));
    name = peer_name(host, g_inet_socket_address_get_port(address));
  } else {
    return false;
  }
  Peers &all = peers();
  std::lock_guard lock(all.mutex);
  return all.users.contains(name);
}

gboolean on_event (GSignalInvocationHint *, guint n_values, const GValue *values, gpointer) {
  // (client, event, connectable, connection)
  if (n_values < 4 || g_value_get_enum(&values[1]) != G_SOCKET_CLIENT_CONNECTED)
    return TRUE;
  gpointer connection = g_value_get_object(&values[3]);
  auto *connectable = static_cast<GSocketConnectable *>(g_value_get_object(&values[2]));
  if (!G_IS_SOCKET_CONNECTION(connection) || !is_ours(connectable))
    return TRUE;
  GSocket *socket = g_socket_connection_get_socket(G_SOCKET_CONNECTION(connection));
  g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, nullptr);
  g_socket_set_option(socket, SOL_SOCKET, SO_SNDBUF, send_buffer_bytes, nullptr);
  g_socket_set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms, nullptr);
  return TRUE;
}

void install_hook () {
  static std::once_flag once;
  std::call_once(once, [] {
    // The class must exist before its signal can be looked up, and must stay.
    g_type_class_ref(G_TYPE_SOCKET_CLIENT);
    g_signal_add_emission_hook(g_signal_lookup("event", G_TYPE_SOCKET_CLIENT), 0, on_event, nullptr,
                               nullptr);
  });
}

}  // namespace

SocketOptions::SocketOptions(const std::string &host, unsigned port)
    : peer_(peer_name(host.c_str(), port)) {
  enter();
}

SocketOptions::SocketOptions(const std::string &url) {
  g_autoptr(GUri) uri = g_uri_parse(url.c_str(), G_URI_FLAGS_NONE, nullptr);
  if (!uri || !g_uri_get_host(uri))
    return;
  const int port = g_uri_get_port(uri);
  peer_ = peer_name(g_uri_get_host(uri), port > 0 ? static_cast<unsigned>(port) : rtmp_port);
  enter();
}

void SocketOptions::enter() {
  install_hook();
  Peers &all = peers();
  std::lock_guard lock(all.mutex);
  all.users[peer_]++;
}

SocketOptions::~SocketOptions() {
  if (peer_.empty())
    return;
  Peers &all = peers();
  std::lock_guard lock(all.mutex);
  auto it = all.users.find(peer_);
  if (it != all.users.end() && --it->second == 0)
    all.users.erase(it);
}

}  // namespace agora
