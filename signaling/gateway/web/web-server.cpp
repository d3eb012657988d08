// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/web/web-server.hpp"

#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/web/web-routes.hpp"

namespace agora::gateway {

std::variant<std::unique_ptr<WebServer>, std::string> WebServer::make(const Options &options,
                                                                      TlsIdentity::Ptr identity) {
  const auto &where = *options.web.listen;
  auto made = std::unique_ptr<WebServer>(new WebServer());
  made->server_.reset(
      soup_server_new("server-header", "agora-gateway ", "raw-paths", TRUE, nullptr));
  g_autoptr(GError) error = nullptr;
  const auto socket = listen_tcp(where, &error);
  if (!socket)
    return "--web-listen=" + to_string(where) + ": " + error->message;
  made->endpoint_ = {where.address, port_of(socket.get())};
  auto *server = made->server_.get();
  bound_requests(server, web_body_limit);
  auto not_found = [] (SoupServer *, SoupServerMessage *message, const char *, GHashTable *,
                       gpointer) noexcept {
    respond(message, SOUP_STATUS_NOT_FOUND, "text/plain", "Not found\n");
  };
  soup_server_add_handler(server, nullptr, not_found, nullptr, nullptr);
  made->acceptor_ = std::make_unique<Acceptor>(
      server, socket.get(), std::move(identity),
      Acceptor::Bounds{options.limits.sockets_per_address, options.waiting_sockets});
  return made;
}

void WebServer::stop() {
  acceptor_->stop();
  soup_server_disconnect(server_.get());
}

}  // namespace agora::gateway
