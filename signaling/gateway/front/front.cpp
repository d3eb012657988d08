// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/front/front.hpp"

#include <sys/socket.h>

#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/gateway/front/opening.hpp"
#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/operator/json-text.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

namespace {

// Of a certificate chain, and of a key: agora-relay gets both in one packet of its line.
constexpr gsize most_pem_bytes = 24 * 1024;
constexpr const char *socket_path = "/api";
// Above --max-sockets-per-address: a WebSocket too many is still told why, and operators get
// through.
constexpr unsigned spare_connections = 16;
constexpr const char *json_type = "application/json";
constexpr guint upgrade_required = 426;

void refuse_page (SoupServerMessage *message) {
  const char *origin =
      soup_message_headers_get_list(soup_server_message_get_request_headers(message), "Origin");
  g_info("A page of %s wanted to connect: see --allow-origin", protocol::quoted(origin).c_str());
  respond(message, SOUP_STATUS_FORBIDDEN, "text/plain", "This page may not connect\n");
}

}  // namespace

std::variant<Front::Certificate, std::string> Front::read_certificate(const Options &options) {
  Certificate read;
  if (options.tls_certificate.empty())
    return read;
  const std::string where =
      "--tls-certificate=" + options.tls_certificate + " --tls-key=" + options.tls_key + ": ";
  for (auto [file, pem] : {std::pair(&options.tls_certificate, &read.certificate),
                           std::pair(&options.tls_key, &read.key)}) {
    g_autofree char *text = nullptr;
    gsize size = 0;
    g_autoptr(GError) error = nullptr;
    if (!g_file_get_contents(file->c_str(), &text, &size, &error))
      return where + error->message;
    if (size > most_pem_bytes)
      return where + *file + " has " + std::to_string(size) + " bytes: expected " +
             std::to_string(most_pem_bytes) + " at most";
    pem->assign(text, size);
  }
  auto made = TlsIdentity::make(read.certificate, read.key);
  if (auto *problem = std::get_if<std::string>(&made))
    return where + *problem;
  read.identity = std::get<0>(std::move(made));
  return read;
}

std::variant<std::unique_ptr<Front>, std::string> Front::make(const Options &options,
                                                              TlsIdentity::Ptr identity,
                                                              FrontHandler &handler) {
  auto front = std::unique_ptr<Front>(new Front(options, handler));
  front->server_.reset(
      soup_server_new("server-header", "agora-gateway ", "raw-paths", TRUE, nullptr));
  g_autoptr(GError) error = nullptr;
  auto socket = listen_tcp(options.listen, &error);
  if (!socket)
    return "--listen=" + to_string(options.listen) + ": " + error->message;
  front->endpoint_ = {options.listen.address, port_of(socket.get())};
  front->acceptor_ = std::make_unique<Acceptor>(
      front->server_.get(), socket.get(), std::move(identity),
      Acceptor::Bounds{options.limits.sockets_per_address + spare_connections,
                       options.waiting_sockets},
      [self = front.get()] (GSocket *client, std::string_view begin) {
        return self->take(client, begin);
      });
  return front;
}

Front::~Front() {
  stop();
}

template <void (Front::*method)(SoupServerMessage *)>
void Front::route(const char *path, const char *http_method) {
  struct Route {
    Front *front;
    std::string path;
    std::string http_method;
  };
  auto callback = [] (SoupServer *, SoupServerMessage *message, const char *asked, GHashTable *,
                      gpointer data) noexcept {
    const auto *route = static_cast<Route *>(data);
    // libsoup hands a path's whole subtree over.
    if (route->path != asked)
      respond(message, SOUP_STATUS_NOT_FOUND, "text/plain", "Not found\n");
    else if (route->http_method != soup_server_message_get_method(message))
      respond(message, SOUP_STATUS_METHOD_NOT_ALLOWED, "text/plain",
              "Expected " + route->http_method + "\n");
    else
      (route->front->*method)(message);
  };
  soup_server_add_handler(server_.get(), path, callback, new Route{this, path, http_method},
                          [] (gpointer data) noexcept { delete static_cast<Route *>(data); });
}

void Front::start() {
  auto *server = server_.get();
  bound_requests(server, body_limit_);
  auto not_found = [] (SoupServer *, SoupServerMessage *message, const char *, GHashTable *,
                       gpointer) noexcept {
    respond(message, SOUP_STATUS_NOT_FOUND, "text/plain", "Not found\n");
  };
  soup_server_add_handler(server, nullptr, not_found, nullptr, nullptr);
  // Paths come with their subtrees.
  auto upgrade = [] (SoupServer *, SoupServerMessage *message, const char *path, GHashTable *,
                     gpointer data) noexcept {
    if (std::string_view(path) != socket_path)
      respond(message, SOUP_STATUS_NOT_FOUND, "text/plain", "Not found\n");
    else if (!soup_message_headers_header_contains(soup_server_message_get_request_headers(message),
                                                   "Upgrade", "websocket"))
      respond(message, upgrade_required, "text/plain", "Expected a WebSocket\n");
    else if (!static_cast<Front *>(data)->lets_in(soup_server_message_get_request_headers(message)))
      refuse_page(message);
    // No compression: members' frames are short, and inflated data would have no bound.
    else if (soup_websocket_server_process_handshake(message, nullptr, nullptr, nullptr, nullptr))
      g_signal_connect(message, "wrote-informational", G_CALLBACK(on_upgraded), data);
  };
  soup_server_add_handler(server, socket_path, upgrade, this, nullptr);
  route<&Front::choose>("/api/v1", "POST");
  route<&Front::healthz>("/healthz", "GET");
  route<&Front::metrics>("/metrics", "GET");
  auto administer = [] (SoupServer *, SoupServerMessage *message, const char *path,
                        GHashTable *query, gpointer data) noexcept {
    static_cast<Front *>(data)->administer(message, path, query);
  };
  for (const char *path : {"/dev/v1", "/console"})
    soup_server_add_handler(server, path, administer, this, nullptr);

  acceptor_->start();
}

void Front::on_upgraded(SoupServerMessage *message, gpointer data) noexcept {
  auto *self = static_cast<Front *>(data);
  auto kept = share(message);
  auto socket = share(Acceptor::socket_of(message));
  auto host = self->authority(message).host;
  ObjectPtr<GIOStream> stolen(soup_server_message_steal_connection(message));
  self->open(socket.get(), stolen.get(), std::move(host));
}

// The fast way: see opening.hpp. True: the connection is taken.
bool Front::take(GSocket *socket, std::string_view begin) {
  auto opening = read_opening(begin, socket_path);
  if (!opening || !lets_in(opening->headers.get()))
    return false;
  const int fd = g_socket_get_fd(socket);
  std::string request(opening->size, '\0');
  const auto &answer = opening->answer;
  if (recv(fd, request.data(), request.size(), MSG_DONTWAIT) !=
          static_cast<ssize_t>(request.size()) ||
      send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
          static_cast<ssize_t>(answer.size()))
    return true;
  ObjectPtr<GIOStream> stream(G_IO_STREAM(g_socket_connection_factory_create_connection(socket)));
  open(socket, stream.get(), authority(opening->headers.get()).host);
  return true;
}

void Front::open(GSocket *socket, GIOStream *stream, std::string host) {
  auto address = plain_address(peer_address(socket));
  // The peer has reset the connection.
  if (address.empty())
    return;
  auto connection = opener_.open(socket, stream, !tls(), options_.frames);
  handler_.opened(connection.get(), socket, std::move(address), std::move(host));
}

void Front::stop() {
  if (acceptor_)
    acceptor_->stop();
  soup_server_disconnect(server_.get());
}

std::string Front::http_url() const {
  return (tls() ? "https://" : "http://") + own_host(endpoint_, options_.public_host) + ":" +
         std::to_string(endpoint_.port);
}

std::string Front::ws_url() const {
  return "ws" + http_url().substr(4) + socket_path;
}

// A browser always sends the origin of the page that connects; a page can't prevent that.
bool Front::lets_in(SoupMessageHeaders *headers) const {
  const char *origin = soup_message_headers_get_list(headers, "Origin");
  if (origin == nullptr)
    return true;
  for (const auto &good : options_.allow_origins)
    if (good == "*" || g_ascii_strcasecmp(good.c_str(), origin) == 0)
      return true;
  return false;
}

Front::Authority Front::authority(SoupMessageHeaders *headers) const {
  if (!options_.public_host.empty())
    return {options_.public_host, options_.public_host + ":" + std::to_string(endpoint_.port)};
  const char *header = soup_message_headers_get_one(headers, "Host");
  if (header == nullptr)
    return {};
  auto host = host_of(header);
  return {host, host.empty() ? "" : header};
}

Front::Authority Front::authority(SoupServerMessage *message) const {
  auto told = authority(soup_server_message_get_request_headers(message));
  if (!told.host.empty())
    return told;
  std::string host;
  auto *local = soup_server_message_get_local_address(message);
  if (local != nullptr && G_IS_INET_SOCKET_ADDRESS(local)) {
    CharPtr text(
        g_inet_address_to_string(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(local))));
    host = url_host(text.get());
  }
  return {host, host + ":" + std::to_string(endpoint_.port)};
}

void Front::choose(SoupServerMessage *message) {
  protocol::ChooseAnswer answer;
  guint status = SOUP_STATUS_OK;
  auto request = protocol::decode_choose_request(body_of(message));
  if (auto *error = std::get_if<protocol::DecodeError>(&request)) {
    g_message("Choosing a server, from %s: %s", peer_of(message).c_str(), error->reason.c_str());
    answer.code = error->code;
    status = SOUP_STATUS_BAD_REQUEST;
  } else if (!handler_.serves(std::get<protocol::ChooseRequest>(request).app_id)) {
    answer.code = protocol::Code::app_invalid;
  } else if (handler_.draining()) {
    answer.code = protocol::Code::drain;
  } else {
    const auto &chosen = std::get<protocol::ChooseRequest>(request);
    answer.vid = 1;
    for (const auto &url : handler_.servers(chosen.app_id, chosen.channel))
      answer.servers.push_back({host_of(url.substr(url.find("//") + 2)), url + socket_path});
    if (answer.servers.empty()) {
      auto where = authority(message);
      answer.servers.push_back(
          {where.host, (tls() ? "wss://" : "ws://") + where.host_port + socket_path});
    }
  }
  respond(message, status, json_type, protocol::encode(answer));
}

void Front::healthz(SoupServerMessage *message) {
  auto health = handler_.health();
  bool draining = handler_.draining();
  JsonText text;
  text.text("status", draining ? "draining" : health.media ? "ok" : "media server lost");
  const std::pair<const char *, std::size_t> counts[] = {{"members", health.members},
                                                         {"channels", health.channels},
                                                         {"streams", health.streams},
                                                         {"mediaRestarts", health.media_restarts},
                                                         {"mediaPauseMs", health.media_pause_ms}};
  for (auto [name, count] : counts)
    text.integer(name, static_cast<std::int64_t>(count));
  if (health.web)
    text.integer("webWorkers", static_cast<std::int64_t>(health.web->workers))
        .integer("webSessions", static_cast<std::int64_t>(health.web->sessions))
        .integer("webRestarts", static_cast<std::int64_t>(health.web->restarts));
  if (health.store)
    text.text("store", *health.store ? "up" : "away");
  respond(message, health.media && !draining ? SOUP_STATUS_OK : SOUP_STATUS_SERVICE_UNAVAILABLE,
          json_type, text.finish() + "\n");
}

}  // namespace agora::gateway
