// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/acceptor.hpp"

#include <utility>

#include "signaling/gateway/network.hpp"

namespace agora::gateway {

namespace {

// A request has to come, and the next one after it, within so many seconds.
constexpr unsigned silence_s = 30;
// New connections get in between what members say, not before it.
constexpr int most_at_once = 64;
constexpr unsigned out_of_files_ms = 200;
constexpr const char *socket_key = "agora-socket";

}  // namespace

Acceptor::Acceptor(SoupServer *server, GSocket *socket, GTlsCertificate *certificate,
                   unsigned connections_per_address)
    : server_(share(server)),
      socket_(share(socket)),
      connections_per_address_(connections_per_address),
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
  ObjectPtr<GSocketAddress> remote(g_socket_get_remote_address(socket.get(), nullptr));
  ObjectPtr<GSocketAddress> local(g_socket_get_local_address(socket.get(), nullptr));
  if (!remote || !local)
    return;
  CharPtr text(g_inet_address_to_string(
      g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(remote.get()))));
  auto network = network_of(text.get());
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
  g_object_set_data_full(G_OBJECT(remote.get()), socket_key, g_object_ref(socket.get()),
                         g_object_unref);
  g_socket_set_timeout(socket.get(), silence_s);

  ObjectPtr<GIOStream> stream(
      G_IO_STREAM(g_socket_connection_factory_create_connection(socket.get())));
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
