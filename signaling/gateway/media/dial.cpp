// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/media/dial.hpp"

#include <gio/gio.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

Descriptor dial (const std::string &host, std::uint16_t port, std::string &reason) {
  const ObjectPtr<GSocketAddress> address(
      g_inet_socket_address_new_from_string(host.c_str(), port));
  sockaddr_storage native{};
  if (!address || !g_socket_address_to_native(address.get(), &native, sizeof native, nullptr)) {
    reason = host + " is no numeric address";
    return {};
  }
  Descriptor made(socket(native.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made ||
      (connect(made.get(), reinterpret_cast<sockaddr *>(&native),
               static_cast<socklen_t>(g_socket_address_get_native_size(address.get()))) != 0 &&
       errno != EINPROGRESS)) {
    reason = g_strerror(errno);
    return {};
  }
  return made;
}

}  // namespace agora::gateway
