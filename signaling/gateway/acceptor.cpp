// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/acceptor.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "signaling/gateway/http.hpp"
#include "signaling/gateway/network.hpp"

namespace agora::gateway {

namespace {

// A request has to come, and the next one after it, within so many seconds.
constexpr unsigned silence_s = 30;
// New connections get in between what members say, not before it.
constexpr int most_at_once = 64;
constexpr unsigned out_of_files_ms = 200;
constexpr const char *socket_key = "agora-socket";

// Whether a request may begin so, as far as it has come.
bool may_be_http (std::string_view begin) {
  constexpr std::string_view methods[] = {"GET ",   "HEAD ",    "POST ",  "PUT ",    "DELETE ",
                                          "PATCH ", "OPTIONS ", "TRACE ", "CONNECT "};
  for (auto method : methods) {
    auto size = std::min(method.size(), begin.size());
    if (method.substr(0, size) == begin.substr(0, size))
      return true;
  }
  return false;
}

}  // namespace

Acceptor::Acceptor(SoupServer *server, GSocket *socket, GTlsCertificate *certificate,
                   unsigned connections_per_address, Opener opener)
    : server_(share(server)),
      socket_(share(socket)),
      connections_per_address_(connections_per_address),
      opener_(std::move(opener)),
      again_([this] { start(); }) {
  if (certificate != nullptr)
    certificate_ = share(certificate);
}

void Acceptor::start() {
  auto *source = g_socket_create_source(socket_.get(), G_IO_IN, nullptr);
  g_source_set_callback(source, G_SOURCE_FUNC(on_readable), this, nullptr);
  g_source_attach(source, g_main_context_get_thread_default());
  readable_ = SourcePtr(source);
}

void Acceptor::stop() {
  readable_.reset();
  again_.stop();
  silent_.clear();
  g_socket_close(socket_.get(), nullptr);
}

gboolean Acceptor::on_readable(GSocket *, GIOCondition, gpointer self) {
  static_cast<Acceptor *>(self)->accept();
  return G_SOURCE_CONTINUE;
}

void Acceptor::accept() {
  g_socket_set_blocking(socket_.get(), FALSE);
  for (int i = 0; i < most_at_once; i++) {
    g_autoptr(GError) error = nullptr;
    ObjectPtr<GSocket> socket(g_socket_accept(socket_.get(), nullptr, &error));
    if (socket) {
      take(std::move(socket));
      continue;
    }
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) &&
        !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)) {
      g_warning("Could not accept a connection: %s", error->message);
      readable_.reset();
      again_.in(out_of_files_ms);
    }
    return;
  }
}

void Acceptor::take(ObjectPtr<GSocket> socket) {
  const auto address = peer_address(socket.get());
  // Reset meanwhile.
  if (address.empty())
    return;
  auto network = network_of(address);
  auto &count = (*counts_)[network];
  if (count >= connections_per_address_)
    return;
  count++;
  struct Leave {
    std::shared_ptr<Counts> counts;
    std::string network;
    ~Leave() {
      auto found = counts->find(network);
      if (--found->second == 0)
        counts->erase(found);
    }
  };
  g_object_set_data_full(G_OBJECT(socket.get()), "agora-leave",
                         new Leave{counts_, std::move(network)},
                         [] (gpointer data) { delete static_cast<Leave *>(data); });
  g_socket_set_timeout(socket.get(), silence_s);
  // What isn't TLS is refused by TLS itself.
  if (certificate_)
    serve(socket.get());
  else
    look(socket.get());
}

// libsoup would wait for a whole request of whoever says something else, until the time is over.
void Acceptor::look(GSocket *socket) {
  const int fd = g_socket_get_fd(socket);
  char begin[4096];
  const auto size = recv(fd, begin, sizeof begin, MSG_PEEK | MSG_DONTWAIT);
  const std::string_view seen(begin, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size > 0 && may_be_http(seen)) {
    if (!opener_ || !opener_(socket, seen))
      serve(socket);
  } else if (size > 0) {
    g_info("Closed a connection that began with something else than HTTP");
    // What stays unread would make the end a reset.
    recv(fd, begin, sizeof begin, MSG_DONTWAIT);
  } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    auto *source = g_socket_create_source(socket, G_IO_IN, nullptr);
    g_source_set_callback(source, G_SOURCE_FUNC(on_first_bytes), this, nullptr);
    g_source_attach(source, g_main_context_get_thread_default());
    silent_.emplace(socket, SourcePtr(source));
  }
}

gboolean Acceptor::on_first_bytes(GSocket *socket, GIOCondition, gpointer data) {
  auto *self = static_cast<Acceptor *>(data);
  // With the source the last reference may go.
  auto kept = share(socket);
  self->silent_.erase(socket);
  self->look(socket);
  return G_SOURCE_REMOVE;
}

void Acceptor::serve(GSocket *socket) {
  ObjectPtr<GSocketAddress> remote(g_socket_get_remote_address(socket, nullptr));
  ObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket, nullptr));
  if (!remote || !local)
    return;
  g_object_set_data_full(G_OBJECT(remote.get()), socket_key, g_object_ref(socket), g_object_unref);
  ObjectPtr<GIOStream> stream(G_IO_STREAM(g_socket_connection_factory_create_connection(socket)));
  g_autoptr(GError) error = nullptr;
  if (certificate_)
    stream.reset(g_tls_server_connection_new(stream.get(), certificate_.get(), &error));
  if (!stream ||
      !soup_server_accept_iostream(server_.get(), stream.get(), local.get(), remote.get(), &error))
    g_warning("Could not serve a connection: %s", error->message);
}

GSocket *Acceptor::socket_of(SoupServerMessage *message) {
  return static_cast<GSocket *>(
      g_object_get_data(G_OBJECT(soup_server_message_get_remote_address(message)), socket_key));
}

}  // namespace agora::gateway
