// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/socket-options.hpp"

#include <gio/gio.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <list>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "gst/gst-ptr.hpp"

namespace agora {

namespace {

constexpr int send_buffer_bytes = 4096;
constexpr int unacknowledged_ms = 4000;
constexpr unsigned rtmp_port = 1935;

// What RTMP's handshake takes, which rtmp2sink doesn't count, and what a read of two counters that
// move may be off.
constexpr std::uint64_t handshake_bytes = 1 + 1536 + 1536;
constexpr std::uint64_t tolerance_bytes = 2048;

struct Peer {
  unsigned users = 0;
  std::list<WeakSocket> sockets;
};

struct Peers {
  std::mutex mutex;
  std::map<std::string, Peer> known;  // under mutex, by "host:port"
};

Peers &peers () {
  // Never destroyed: the hook outlives everything.
  static auto *all = new Peers;
  return *all;
}

std::string peer_name (const char *host, unsigned port) {
  return std::string(host) + ":" + std::to_string(port);
}

std::string name_of (GSocketConnectable *connectable) {
  if (G_IS_NETWORK_ADDRESS(connectable)) {
    auto *address = G_NETWORK_ADDRESS(connectable);
    return peer_name(g_network_address_get_hostname(address), g_network_address_get_port(address));
  }
  if (G_IS_INET_SOCKET_ADDRESS(connectable)) {
    auto *address = G_INET_SOCKET_ADDRESS(connectable);
    g_autofree char *host = g_inet_address_to_string(g_inet_socket_address_get_address(address));
    return peer_name(host, g_inet_socket_address_get_port(address));
  }
  return "";
}

// Whether it is one of ours, which is remembered then.
bool is_ours (GSocketConnectable *connectable, GSocket *socket) {
  Peers &all = peers();
  std::lock_guard lock(all.mutex);
  auto it = all.known.find(name_of(connectable));
  if (it == all.known.end())
    return false;
  it->second.sockets.emplace_back(socket);
  return true;
}

std::optional<Sending> ask (GSocket *socket) {
  const int fd = g_socket_get_fd(socket);
  tcp_info info = {};
  socklen_t size = sizeof(info);
  int waiting = 0;
  if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) || ioctl(fd, SIOCOUTQ, &waiting) != 0)
    return std::nullopt;
  // The first byte that counts as taken was no byte, but the connection itself.
  const std::uint64_t taken = info.tcpi_bytes_acked > 0 ? info.tcpi_bytes_acked - 1 : 0;
  return Sending{taken, static_cast<std::uint64_t>(waiting)};
}

std::vector<ObjectPtr<GSocket>> sockets_of (const std::string &peer) {
  std::vector<ObjectPtr<GSocket>> sockets;
  Peers &all = peers();
  std::lock_guard lock(all.mutex);
  auto it = all.known.find(peer);
  if (it == all.known.end())
    return sockets;
  it->second.sockets.remove_if([&] (WeakSocket &weak) {
    sockets.emplace_back(weak.get());
    if (sockets.back())
      return false;
    sockets.pop_back();
    return true;
  });
  return sockets;
}

// How far the connection is from one on which so much has been written.
std::uint64_t distance (const Sending &sending, std::uint64_t written) {
  const std::uint64_t all = sending.taken + sending.waiting;
  const std::uint64_t expected = written + handshake_bytes;
  return all > expected ? all - expected : expected - all;
}

gboolean on_event (GSignalInvocationHint *, guint n_values, const GValue *values, gpointer) {
  // (client, event, connectable, connection)
  if (n_values < 4 || g_value_get_enum(&values[1]) != G_SOCKET_CLIENT_CONNECTED)
    return TRUE;
  gpointer connection = g_value_get_object(&values[3]);
  auto *connectable = static_cast<GSocketConnectable *>(g_value_get_object(&values[2]));
  if (!G_IS_SOCKET_CONNECTION(connection))
    return TRUE;
  GSocket *socket = g_socket_connection_get_socket(G_SOCKET_CONNECTION(connection));
  if (!is_ours(connectable, socket))
    return TRUE;
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
  all.known[peer_].users++;
}

SocketOptions::~SocketOptions() {
  if (peer_.empty())
    return;
  Peers &all = peers();
  std::lock_guard lock(all.mutex);
  auto it = all.known.find(peer_);
  if (it != all.known.end() && --it->second.users == 0)
    all.known.erase(it);
}

std::optional<Sending> SocketOptions::sending(std::uint64_t written) const {
  std::lock_guard lock(mutex_);
  // The one of last time, as long as it fits: a process with a hundred sessions would else ask each
  // about all the others.
  if (const ObjectPtr<GSocket> socket{found_.get()}) {
    const auto answer = ask(socket.get());
    if (answer && distance(*answer, written) < tolerance_bytes)
      return answer;
  }
  std::optional<Sending> best;
  std::uint64_t least = tolerance_bytes;
  for (const ObjectPtr<GSocket> &socket : sockets_of(peer_)) {
    const auto answer = ask(socket.get());
    if (!answer || distance(*answer, written) >= least)
      continue;
    least = distance(*answer, written);
    best = answer;
    found_.set(socket.get());
  }
  return best;
}

std::uint64_t SocketOptions::taken() const {
  std::uint64_t sum = 0;
  for (const ObjectPtr<GSocket> &socket : sockets_of(peer_))
    if (const auto answer = ask(socket.get()))
      sum += answer->taken;
  return sum;
}

}  // namespace agora
