// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/web/web-routes.hpp"

#include <utility>

#include "signaling/gateway/http/acceptor.hpp"
#include "signaling/gateway/http/http.hpp"
#include "signaling/gateway/web/cors.hpp"
#include "signaling/gateway/web/page-files.hpp"
#include "signaling/gateway/web/web-answers.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

namespace {

constexpr std::size_t offer_limit = web_line::max_sdp;
constexpr std::size_t other_limit = web_line::max_call;

void fill (SoupServerMessage *message, const WebAnswer &answer) {
  soup_server_message_set_status(message, answer.status, title_of(answer.status));
  auto *headers = soup_server_message_get_response_headers(message);
  for (const auto &[name, value] : answer.headers)
    soup_message_headers_append(headers, name.c_str(), value.c_str());
  if (!answer.type.empty())
    soup_server_message_set_response(message, answer.type.c_str(), SOUP_MEMORY_COPY,
                                     answer.body.data(), answer.body.size());
}

// Browsers leave the usual port out.
std::string origin_of (bool tls, std::string authority) {
  const std::string_view usual = tls ? ":443" : ":80";
  if (authority.ends_with(usual))
    authority.resize(authority.size() - usual.size());
  return (tls ? "https://" : "http://") + authority;
}

std::int64_t now_ms () {
  return g_get_monotonic_time() / 1000;
}

}  // namespace

std::size_t web_body_limit (std::string_view path) {
  const bool ours = path.starts_with("/whip/") || path.starts_with("/whep/");
  return ours && path.substr(5).find("/session/") != 0 ? offer_limit : other_limit;
}

WebRoutes::WebRoutes(WebRules rules, WebSurroundings &around)
    : sessions_(std::move(rules), around),
      streams_(watch_, EventQueue::usual_bytes,
               [this] (EventSink &sink) {
                 sessions_.stream_closed(sink, now_ms());
                 arm();
               }),
      deadline_([this] {
        sessions_.tick(now_ms());
        arm();
      }) {
}

WebRoutes::~WebRoutes() {
  stop();
}

void WebRoutes::attach(SoupServer *server, Place place) {
  places_[server] = std::move(place);
  for (const char *path : {"/whip", "/whep"})
    soup_server_add_handler(server, path, on_request, this, nullptr);
  soup_server_add_handler(server, "/web", on_page, this, nullptr);
  set_refusal_headers(server, [server, alive = std::weak_ptr(alive_)] (SoupServerMessage *message) {
    const auto routes = alive.lock();
    return routes ? (*routes)->refusal_headers(server, message) : std::string();
  });
}

// So that a page of another origin can read why.
std::string WebRoutes::refusal_headers(SoupServer *server, SoupServerMessage *message) const {
  const auto request = read(server, message);
  if (!request.path.starts_with("/whip/") && !request.path.starts_with("/whep/"))
    return "";
  WebAnswer answer;
  if (sessions_.may_ask(request))
    add_cors(answer, request.origin);
  std::string lines;
  for (const auto &[name, value] : answer.headers)
    lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

void WebRoutes::stop() {
  sessions_.stop();
  deadline_.stop();
}

void WebRoutes::arm() {
  if (const auto next = sessions_.next_deadline())
    deadline_.at(*next * 1000);
  else
    deadline_.stop();
}

WebRequest WebRoutes::read(SoupServer *server, SoupServerMessage *message) const {
  WebRequest request;
  request.method = soup_server_message_get_method(message);
  auto *uri = soup_server_message_get_uri(message);
  request.path = g_uri_get_path(uri);
  if (const char *query = g_uri_get_query(uri))
    request.query = query;
  auto *headers = soup_server_message_get_request_headers(message);
  // Several of one name come as one text, which is then none that is expected.
  auto header = [headers] (const char *which) {
    const char *text = soup_message_headers_get_list(headers, which);
    return std::string(text != nullptr ? text : "");
  };
  request.authorization = header("Authorization");
  request.content_type = header("Content-Type");
  request.if_match = header("If-Match");
  request.if_none_match = header("If-None-Match");
  request.origin = header("Origin");
  request.fetch_site = header("Sec-Fetch-Site");
  request.ask_method = header("Access-Control-Request-Method");
  const auto &place = places_.at(server);
  request.own_origin = origin_of(
      place.tls, place.public_host.empty() ? header("Host")
                                           : place.public_host + ":" + std::to_string(place.port));
  request.body = body_of(message);
  request.address = plain_address(peer_address(Acceptor::socket_of(message)));
  request.network = network_of(request.address);
  request.mono_ms = now_ms();
  return request;
}

void WebRoutes::on_page(SoupServer *server, SoupServerMessage *message, const char *, GHashTable *,
                        gpointer data) noexcept {
  fill(message, page_file(static_cast<WebRoutes *>(data)->read(server, message)));
}

void WebRoutes::on_request(SoupServer *server, SoupServerMessage *message, const char *,
                           GHashTable *, gpointer data) noexcept {
  static_cast<WebRoutes *>(data)->ask(message,
                                      static_cast<WebRoutes *>(data)->read(server, message));
}

void WebRoutes::ask(SoupServerMessage *message, const WebRequest &request) {
  if (sessions_.may_ask(request))
    if (const auto place = sessions_.wants_stream(request)) {
      open_stream_soon(message, *place, request.origin);
      return;
    }
  // Until ask() has returned, the answer goes into the message at once.
  auto at_once = std::make_shared<bool>(true);
  const auto ticket = sessions_.ask(request, [this, message, at_once] (const WebAnswer &answer) {
    fill(message, answer);
    if (*at_once)
      return;
    const auto kept = share(message);
    forget(message);
    soup_server_message_unpause(message);
  });
  *at_once = false;
  if (ticket != 0)
    wait(message, ticket);
  arm();
}

void WebRoutes::wait(SoupServerMessage *message, WebSessions::Ticket ticket) {
  auto &pending = pending_[message];
  pending.message = share(message);
  pending.ticket = ticket;
  pending.finished = g_signal_connect(message, "finished", G_CALLBACK(on_finished), this);
  // libsoup looks at the socket again only when it writes.
  pending.watched = watch_.add(g_socket_get_fd(Acceptor::socket_of(message)),
                               {[this, message] { gone(message); }, nullptr});
  soup_server_message_pause(message);
}

// Its client has gone before the answer.
void WebRoutes::gone(SoupServerMessage *message) {
  const auto found = pending_.find(message);
  if (found == pending_.end())
    return;
  const auto kept = share(message);
  const auto ticket = found->second.ticket;
  forget(message);
  sessions_.gone(ticket);
  // So that libsoup finds out, and ends the connection.
  fill(message, problem(status::bad_request, "the connection was closed before the answer"));
  soup_server_message_unpause(message);
  arm();
}

void WebRoutes::on_finished(SoupServerMessage *message, gpointer data) noexcept {
  auto *self = static_cast<WebRoutes *>(data);
  const auto found = self->pending_.find(message);
  if (found == self->pending_.end())
    return;
  const auto kept = share(message);
  const auto ticket = found->second.ticket;
  self->forget(message);
  self->sessions_.gone(ticket);
  self->arm();
}

void WebRoutes::forget(SoupServerMessage *message) {
  const auto found = pending_.find(message);
  if (found == pending_.end())
    return;
  watch_.remove(found->second.watched);
  g_signal_handler_disconnect(message, found->second.finished);
  pending_.erase(found);
}

// In a turn of its own: libsoup is in the middle of reading, and gives up the connection only then.
void WebRoutes::open_stream_soon(SoupServerMessage *message, WebSessions::StreamPlace place,
                                 const std::string &origin) {
  struct Opening {
    std::weak_ptr<WebRoutes *> routes;
    ObjectPtr<SoupServerMessage> message;
    WebSessions::StreamPlace place;
    std::string origin;
  };
  soup_server_message_pause(message);
  auto later = [] (gpointer data) noexcept -> gboolean {
    const auto *opening = static_cast<Opening *>(data);
    if (const auto routes = opening->routes.lock())
      (*routes)->open_stream(opening->message.get(), opening->place, opening->origin);
    return G_SOURCE_REMOVE;
  };
  g_idle_add_full(G_PRIORITY_DEFAULT, later, new Opening{alive_, share(message), place, origin},
                  [] (gpointer data) noexcept { delete static_cast<Opening *>(data); });
}

void WebRoutes::open_stream(SoupServerMessage *message, WebSessions::StreamPlace place,
                            const std::string &origin) {
  const auto socket = share(Acceptor::socket_of(message));
  const ObjectPtr<GIOStream> stream(soup_server_message_steal_connection(message));
  if (!stream || g_socket_is_closed(socket.get()))
    return;
  WebAnswer answer;
  answer.with("Server", "agora-gateway")
      .with("Content-Type", "text/event-stream")
      .with("Cache-Control", "no-store")
      .with("Connection", "close")
      // Proxies are to pass each event on at once.
      .with("X-Accel-Buffering", "no");
  add_cors(answer, origin);
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (const auto &[name, value] : answer.headers)
    head.append(name).append(": ").append(value).append("\r\n");
  // How long a browser waits before it comes again, in milliseconds.
  head += "\r\nretry: 1000\n\n";
  sessions_.stream_opened(place, streams_.open(stream.get(), socket.get(), head));
  arm();
}

}  // namespace agora::gateway
