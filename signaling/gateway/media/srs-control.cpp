// SPDX-License-Identifier: LGPL-2.1-or-later
#define G_LOG_DOMAIN "agora-gateway"
#include "signaling/gateway/media/srs-control.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "signaling/gateway/media/srs-hook.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::gateway {

namespace {

constexpr unsigned look_ms = 10'000;
// About 600 bytes a client.
constexpr std::size_t max_list = 64 * 1024 * 1024;
constexpr unsigned max_depth = 8;
// As many as SRS has; it gives ten where none are named.
constexpr const char *clients_path = "/api/v1/clients";
constexpr const char *all_clients = "?start=0&count=1000000";

// Calls `done` after so many calls of its own.
std::function<void()> after (std::size_t calls, std::function<void()> done) {
  auto left = std::make_shared<std::size_t>(calls);
  return [left, done = std::move(done)] {
    if (--*left == 0)
      done();
  };
}

}  // namespace

std::optional<std::vector<SrsClient>> parse_srs_clients (std::string_view body) {
  std::string reason;
  const auto document = protocol::parse_object(body, max_list, max_depth, reason);
  if (!document)
    return {};
  protocol::Failure failure;
  protocol::Fields fields(document->root(), "", failure);
  const auto *list = fields.array("clients", protocol::Need::required);
  if (failure || list == nullptr)
    return {};
  std::vector<SrsClient> clients;
  for (const auto *each = list->begin(); each != list->end(); each = each->next()) {
    if (each->kind != protocol::JsonKind::object)
      continue;
    const auto *id = each->member("id");
    const auto *name = each->member("name");
    const auto *publish = each->member("publish");
    if (id == nullptr || name == nullptr || publish == nullptr)
      continue;
    if (const auto session = srs_session_of(id->text))
      clients.push_back({*session, std::string(name->text), publish->boolean});
  }
  return clients;
}

SrsControl::SrsControl(std::vector<std::string> servers)
    : servers_(std::move(servers)), timer_([this] { look(); }) {
}

void SrsControl::start(const MediaServer::Callbacks &callbacks) {
  sessions_ = callbacks.sessions;
  timer_.in(look_ms);
}

void SrsControl::look() {
  const std::int64_t asked = g_get_monotonic_time();
  list([this, asked] (const SrsClients &clients) {
    timer_.in(look_ms);
    // Of a server that doesn't answer, nothing is known.
    if (!clients.whole)
      return;
    std::vector<std::uint64_t> ids;
    ids.reserve(clients.list.size());
    for (const auto &client : clients.list)
      ids.push_back(client.session);
    sessions_(ids, asked);
  });
}

void SrsControl::list(Listed listed) {
  struct All {
    std::size_t left = 0;
    SrsClients clients;
    Listed listed;
  };
  auto all = std::make_shared<All>();
  all->left = servers_.size();
  all->listed = std::move(listed);
  for (const auto &server : servers_)
    http_.request(
        "GET", server + clients_path + all_clients, [all, server] (bool ok, std::string_view body) {
          auto clients = ok ? parse_srs_clients(body) : std::nullopt;
          if (!clients) {
            g_debug("No list of clients from %s", server.c_str());
            all->clients.whole = false;
          } else {
            std::move(clients->begin(), clients->end(), std::back_inserter(all->clients.list));
          }
          if (--all->left == 0)
            all->listed(all->clients);
        });
}

// It lists a session before it asks about it, so that one try is enough; those that don't have it
// say so.
void SrsControl::end(std::uint64_t session, std::function<void()> done) {
  const auto ended = after(servers_.size(), std::move(done));
  for (const auto &server : servers_)
    http_.request("DELETE", server + clients_path + "/" + srs_session_name(session),
                  [ended] (bool, std::string_view) { ended(); });
}

void SrsControl::drop(const DropMedia &what, std::function<void()> done) {
  if (what.client_id != 0)
    return end(what.client_id, std::move(done));
  list([this, what, done = std::move(done)] (const SrsClients &clients) {
    std::vector<std::uint64_t> sessions;
    for (const auto &client : clients.list)
      if (client.stream == what.stream && client.pushes == (what.direction == Direction::push))
        sessions.push_back(client.session);
    if (sessions.empty())
      return done();
    const auto ended = after(sessions.size(), done);
    for (const auto session : sessions)
      end(session, ended);
  });
}

}  // namespace agora::gateway
