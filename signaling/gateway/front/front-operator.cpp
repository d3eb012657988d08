// SPDX-License-Identifier: LGPL-2.1-or-later
// What operators ask of the front: administration, the console, metrics, the live view.
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/front/front.hpp"
#include "signaling/gateway/http/http.hpp"
#include "signaling/support/network.hpp"

namespace agora::gateway {

namespace {

constexpr const char *operators_json = "application/json";
constexpr guint too_many_tries = 429;
constexpr guint too_many_readers = 503;

std::int64_t front_now_ms () {
  return g_get_monotonic_time() / 1000;
}

// Several of one name come as one text, which is then none that is expected.
std::string header_of (SoupServerMessage *message, const char *name) {
  const char *text =
      soup_message_headers_get_list(soup_server_message_get_request_headers(message), name);
  return text != nullptr ? text : "";
}

}  // namespace

std::string Front::peer_of(SoupServerMessage *message) {
  return plain_address(peer_address(Acceptor::socket_of(message)));
}

void Front::metrics(SoupServerMessage *message) {
  const auto authorization = header_of(message, "Authorization");
  const auto network = network_of(peer_of(message));
  // Not looked at: else the answer would tell whether it was right.
  if (!authorization.empty() && !guesses_.may_try(network, front_now_ms()))
    return respond(message, too_many_tries, "text/plain", "Too many wrong tokens\n");
  const auto text = handler_.metrics(authorization);
  if (text)
    return respond(message, SOUP_STATUS_OK, "text/plain; version=0.0.4; charset=utf-8", *text);
  guesses_.wrong(network, front_now_ms());
  respond(message, SOUP_STATUS_UNAUTHORIZED, "text/plain",
          "Expected the admin token, or no Authorization at all\n");
}

void Front::administer(SoupServerMessage *message, const char *path, GHashTable *query) {
  AdminRequest request;
  request.method = soup_server_message_get_method(message);
  request.path = path;
  GHashTableIter each;
  gpointer name = nullptr;
  gpointer value = nullptr;
  if (query != nullptr) {
    g_hash_table_iter_init(&each, query);
    while (g_hash_table_iter_next(&each, &name, &value))
      request.query.emplace(static_cast<char *>(name), static_cast<char *>(value));
  }
  request.authorization = header_of(message, "Authorization");
  request.cookie = header_of(message, "Cookie");
  request.content_type = header_of(message, "Content-Type");
  request.origin = header_of(message, "Origin");
  request.fetch_site = header_of(message, "Sec-Fetch-Site");
  request.address = peer_of(message);
  request.own_origin = std::string(tls() ? "https://" : "http://") + authority(message).host_port;
  request.body = body_of(message);
  // Not looked at: else the answer would tell whether it was right.
  if (!guesses_.may_try(network_of(peer_of(message)), front_now_ms()))
    return answer_operator(
        message, request,
        admin_failure(too_many_tries, "too many wrong tokens from this address: try again later"));
  struct Waiting {
    ObjectPtr<SoupServerMessage> message;
    AdminRequest request;
    bool paused = false;
    bool answered = false;
  };
  auto waiting = std::make_shared<Waiting>(Waiting{share(message), request});
  // The body is the message's, and isn't looked at again.
  waiting->request.body.reset();
  handler_.administer(request, [this, waiting] (const AdminAnswer &answer) {
    waiting->answered = true;
    answer_operator(waiting->message.get(), waiting->request, answer);
    if (waiting->paused)
      soup_server_message_unpause(waiting->message.get());
  });
  if (!waiting->answered) {
    waiting->paused = true;
    soup_server_message_pause(message);
  }
}

void Front::answer_operator(SoupServerMessage *message, const AdminRequest &request,
                            const AdminAnswer &answer) {
  if (answer.guessed)
    guesses_.wrong(network_of(peer_of(message)), front_now_ms());
  if (answer.status >= SOUP_STATUS_BAD_REQUEST)
    g_message("Administration, %s %s from %s: refused with %u", request.method.c_str(),
              request.path.c_str(), peer_of(message).c_str(), answer.status);
  if (answer.streams)
    return open_stream_soon(message);
  auto *headers = soup_server_message_get_response_headers(message);
  // A page has a form of its own for that: the browser is not to ask as well.
  if (answer.status == SOUP_STATUS_UNAUTHORIZED && request.fetch_site != "same-origin" &&
      request.cookie.empty())
    soup_message_headers_append(headers, "WWW-Authenticate", "Basic realm=\"agora-gateway\"");
  if (answer.status == too_many_tries || answer.status == too_many_readers)
    soup_message_headers_append(headers, "Retry-After", "1");
  if (!answer.allow.empty())
    soup_message_headers_append(headers, "Allow", answer.allow.c_str());
  for (const auto &[name, value] : answer.headers)
    soup_message_headers_append(headers, name.c_str(), value.c_str());
  if (answer.type.empty())
    respond(message, answer.status, operators_json, answer.body + "\n");
  else
    respond(message, answer.status, answer.type.c_str(), answer.body);
}

// In a turn of its own: libsoup is in the middle of reading, and gives up the connection only then.
void Front::open_stream_soon(SoupServerMessage *message) {
  struct Opening {
    std::weak_ptr<Front *> front;
    ObjectPtr<SoupServerMessage> message;
  };
  soup_server_message_pause(message);
  auto later = [] (gpointer data) noexcept -> gboolean {
    const auto *opening = static_cast<Opening *>(data);
    if (const auto front = opening->front.lock())
      (*front)->open_stream(opening->message.get());
    return G_SOURCE_REMOVE;
  };
  g_idle_add_full(G_PRIORITY_DEFAULT, later, new Opening{alive_, share(message)},
                  [] (gpointer data) noexcept { delete static_cast<Opening *>(data); });
}

void Front::open_stream(SoupServerMessage *message) {
  const auto socket = share(Acceptor::socket_of(message));
  const ObjectPtr<GIOStream> stream(soup_server_message_steal_connection(message));
  if (stream && !g_socket_is_closed(socket.get()))
    handler_.watch(stream.get(), socket.get(),
                   "HTTP/1.1 200 OK\r\nServer: agora-gateway\r\n"
                   "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                   // Proxies are to pass each event on at once.
                   "X-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
                   // How long a browser waits before it comes again, in milliseconds.
                   "retry: 2000\n\n");
}

}  // namespace agora::gateway
