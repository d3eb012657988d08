// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/front/worker-door.hpp"

#include <utility>

#include "signaling/gateway/http/http.hpp"
#include "signaling/protocol/web-line.hpp"
#include "signaling/support/network.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

namespace {

constexpr std::string_view base = "/worker/";
constexpr std::size_t secret_size = 64;
constexpr std::size_t body_limit = 1024;
// Members that connect just now, and their tries before.
constexpr unsigned spare_sockets = 256;
constexpr const char *guest_key = "agora-guest";

void answer_not_found (SoupServerMessage *message) {
  respond(message, SOUP_STATUS_NOT_FOUND, "text/plain", "Not found\n");
}

}  // namespace

std::variant<std::unique_ptr<WorkerDoor>, std::string> WorkerDoor::make(const Options &options,
                                                                        Opened opened) {
  auto door = std::unique_ptr<WorkerDoor>(new WorkerDoor(options, std::move(opened)));
  const Endpoint endpoint{"127.0.0.1", 0};
  g_autoptr(GError) error = nullptr;
  auto socket = listen_tcp(endpoint, &error);
  if (!socket)
    return std::string("--web: no port of 127.0.0.1 for agora-web: ") + error->message;
  door->url_ = "ws://127.0.0.1:" + std::to_string(port_of(socket.get())) + std::string(base);
  auto *server = soup_server_new("server-header", "agora-gateway ", "raw-paths", TRUE, nullptr);
  door->server_.reset(server);
  bound_requests(server, [] (std::string_view) { return body_limit; });
  soup_server_add_handler(server, nullptr, on_request, door.get(), nullptr);
  door->acceptor_ = std::make_unique<Acceptor>(
      server, socket.get(), nullptr,
      Acceptor::Bounds{std::numeric_limits<unsigned>::max(), 2 * door->most_sockets_});
  door->acceptor_->start();
  return door;
}

// Each session is a member's, and each channel of one may have a mix.
WorkerDoor::WorkerDoor(const Options &options, Opened opened)
    : frames_(options.frames),
      most_sockets_(2 * options.web.sessions + spare_sockets),
      opened_(std::move(opened)) {
}

std::string WorkerDoor::open() {
  Run run;
  run.secret = draw_secret();
  std::string url = url_ + run.secret;
  runs_[url] = std::move(run);
  return url;
}

void WorkerDoor::shut(const std::string &url) {
  runs_.erase(url);
}

void WorkerDoor::stop() {
  acceptor_->stop();
  soup_server_disconnect(server_.get());
}

const WorkerDoor::Run *WorkerDoor::find(std::string_view secret) const {
  for (const auto &[url, run] : runs_)
    if (same_secret(secret, run.secret))
      return &run;
  return nullptr;
}

// Null: nobody who is let in.
std::unique_ptr<WorkerDoor::Guest> WorkerDoor::guest(std::string_view path,
                                                     GHashTable *query) const {
  if (!path.starts_with(base) || path.size() < base.size() + secret_size)
    return nullptr;
  const Run *run = find(path.substr(base.size(), secret_size));
  const std::string_view what = path.substr(base.size() + secret_size);
  if (run == nullptr || (what != "/member" && what != "/mix"))
    return nullptr;
  auto found = std::make_unique<Guest>();
  found->sockets = run->sockets;
  found->entrance = what == "/mix" ? Entrance::mix : Entrance::web;
  if (found->entrance == Entrance::mix)
    return found;
  const auto *address =
      query != nullptr ? static_cast<const char *>(g_hash_table_lookup(query, "address")) : nullptr;
  if (address == nullptr || !g_hostname_is_ip_address(address))
    return nullptr;
  found->address = plain_address(address);
  return found->address.size() > web_line::max_address ? nullptr : std::move(found);
}

void WorkerDoor::on_request(SoupServer *, SoupServerMessage *message, const char *path,
                            GHashTable *query, gpointer data) noexcept {
  auto *self = static_cast<WorkerDoor *>(data);
  auto guest = self->guest(path, query);
  if (!guest || !soup_message_headers_header_contains(
                    soup_server_message_get_request_headers(message), "Upgrade", "websocket"))
    answer_not_found(message);
  else
    self->answer(message, std::move(guest));
}

void WorkerDoor::answer(SoupServerMessage *message, std::unique_ptr<Guest> guest) {
  if (*guest->sockets >= most_sockets_) {
    g_warning("A worker of agora-web brings more members than it may: %u", *guest->sockets);
    respond(message, SOUP_STATUS_SERVICE_UNAVAILABLE, "text/plain", "Too many\n");
    return;
  }
  if (!soup_websocket_server_process_handshake(message, nullptr, nullptr, nullptr, nullptr))
    return;
  g_object_set_data_full(G_OBJECT(message), guest_key, guest.release(),
                         [] (gpointer data) noexcept { delete static_cast<Guest *>(data); });
  g_signal_connect(message, "wrote-informational", G_CALLBACK(on_upgraded), this);
}

void WorkerDoor::on_upgraded(SoupServerMessage *message, gpointer data) noexcept {
  auto *self = static_cast<WorkerDoor *>(data);
  auto kept = share(message);
  const auto *guest = static_cast<Guest *>(g_object_get_data(G_OBJECT(message), guest_key));
  auto socket = share(Acceptor::socket_of(message));
  ObjectPtr<GIOStream> stolen(soup_server_message_steal_connection(message));
  auto connection = self->opener_.open(socket.get(), stolen.get(), true, self->frames_);
  using Count = std::shared_ptr<unsigned>;
  (*guest->sockets)++;
  g_object_weak_ref(
      G_OBJECT(connection.get()),
      [] (gpointer count, GObject *) noexcept {
        const std::unique_ptr<Count> held(static_cast<Count *>(count));
        (**held)--;
      },
      new Count(guest->sockets));
  self->opened_(connection.get(), socket.get(), guest->address, guest->entrance);
}

}  // namespace agora::gateway
