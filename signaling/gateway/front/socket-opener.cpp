// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/front/socket-opener.hpp"

#include <utility>

#include "signaling/gateway/front/bounded-stream.hpp"
#include "signaling/gateway/http/acceptor.hpp"

namespace agora::gateway {

namespace {

// A message in many pieces has more bytes on the wire, and pings may come in between.
std::size_t between_messages (const FrameLimits &limits) {
  return std::size_t{2} * limits.bytes + 4096;
}

}  // namespace

ObjectPtr<SoupWebsocketConnection> SocketOpener::open(GSocket *socket, GIOStream *stream,
                                                      bool plain, const FrameLimits &limits) {
  // From now on the rules of the channel decide who is silent for too long.
  Acceptor::release(socket);
  g_socket_set_timeout(socket, 0);
  std::unique_ptr<Readiness::Socket> ready;
  if (plain)
    ready = std::make_unique<Readiness::Socket>(readiness_, g_socket_get_fd(socket));
  GMainContext *context = ready ? readiness_->dormant() : nullptr;
  auto bounded = bounded_stream_new(stream, between_messages(limits), std::move(ready));
  // libsoup attaches its input's source to the thread's default context, once.
  if (context != nullptr)
    g_main_context_push_thread_default(context);
  ObjectPtr<SoupWebsocketConnection> connection(soup_websocket_connection_new(
      bounded.get(), uri_.get(), SOUP_WEBSOCKET_CONNECTION_SERVER, nullptr, nullptr, nullptr));
  if (context != nullptr)
    g_main_context_pop_thread_default(context);
  return connection;
}

}  // namespace agora::gateway
