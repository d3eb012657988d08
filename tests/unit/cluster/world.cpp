// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/cluster/world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace sim {

namespace {

constexpr std::int64_t faults_us = 60'000 * ms;
constexpr std::int64_t quiet_us = 45'000 * ms;

}  // namespace

void Agenda::in(std::int64_t after_us, std::function<void()> what) {
  heap_.push_back({now_us_ + std::max<std::int64_t>(after_us, 0), orders_++, std::move(what)});
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

bool Agenda::step(std::int64_t until_us) {
  if (heap_.empty() || heap_.front().at_us > until_us)
    return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later());
  const Item item = std::move(heap_.back());
  heap_.pop_back();
  now_us_ = item.at_us;
  item.what();
  return true;
}

World::World(std::uint64_t seed, bool logs)
    : rng(seed), slow_links(seed % 3 == 0), logs_(logs), seed_(seed) {
}

void World::say(const std::string &what) {
  if (!logs_)
    return;
  char time[32];
  std::snprintf(time, sizeof time, "%.3f ", static_cast<double>(agenda.now_us()) / 1e6);
  log.push_back(time + what);
}

void World::bad(const std::string &what) {
  say("WRONG: " + what);
  bad_.push_back(what);
}

Answer World::apply(const Operation &operation) {
  return directory.apply(
      operation, store_ms(), [this] (const std::string &topic, const std::string &message) {
        for (const auto &gateway : gateways_)
          if (gateway->link == Gateway::Link::up && gateway->topics.contains(topic))
            gateway->deliver(topic, message);
      });
}

Gateway &World::add_gateway() {
  gateways_.push_back(
      std::make_unique<Gateway>(*this, "gw" + std::to_string(gateways_.size() + 1)));
  Gateway &gateway = *gateways_.back();
  struct Ticking {
    World &world;
    Gateway &gateway;
    void operator()() const {
      if (!gateway.alive)
        return;
      gateway.tick();
      world.agenda.in(100 * ms, *this);
    }
  };
  agenda.in(rng.between(0, 100), Ticking{*this, gateway});
  gateway.connect();
  return gateway;
}

std::vector<Gateway *> World::live() {
  std::vector<Gateway *> living;
  for (const auto &gateway : gateways_)
    if (gateway->alive)
      living.push_back(gateway.get());
  return living;
}

Client &World::add_client(Uid uid, const std::string &key, bool speaker) {
  Client &client = clients_.emplace_back();
  client.index = clients_.size() - 1;
  client.uid = uid;
  client.key = key;
  client.speaker = speaker;
  agenda.in(rng.between(0, 2'000), [this, &client] { connect(client, false); });
  return client;
}

Client *World::pick(const std::function<bool(const Client &)> &which) {
  std::vector<Client *> some;
  for (Client &client : clients_)
    if (client.joined && !client.replaced && which(client))
      some.push_back(&client);
  return some.empty() ? nullptr : some[rng.below(some.size())];
}

void World::connect(Client &client, bool adopt) {
  if (client.replaced || !client.wants)
    return;
  auto there = live();
  std::erase_if(there, [] (const Gateway *gateway) { return gateway->frozen; });
  if (there.empty()) {
    agenda.in(500 * ms, [this, &client, adopt] { connect(client, adopt); });
    return;
  }
  Gateway &gateway = *there[rng.below(there.size())];
  Socket *old = client.socket;
  Socket &socket = sockets_.emplace_back();
  socket.id = sockets_.size();
  socket.client = &client;
  socket.gateway = &gateway;
  socket.key = client.key;
  client.socket = &socket;
  client.joined = false;
  if (logs_)
    say("client #" + std::to_string(client.index) + " (" + std::to_string(client.uid) + ") " +
        (adopt ? "rejoins " : "joins ") + gateway.name);
  std::vector<Uid> known;
  if (adopt)
    for (const auto &[uid, on] : client.view)
      known.push_back(uid);
  agenda.in(rng.between(0.2, 3), [&socket, &gateway, adopt, known, uid = client.uid] {
    gateway.see([&socket, &gateway, adopt, known, uid] {
      gateway.book->join(socket, uid, adopt, known, gateway.now());
    });
  });
  if (!adopt)
    client.view.clear();
  // The network changed: the older socket may be open still.
  if (old && old->open)
    agenda.in(10'000 * ms, [this, old] {
      if (old->open)
        shut(*old);
    });
  for (Client &other : clients_)
    if (&other != &client && other.uid == client.uid && other.key == client.key)
      other.since_us = agenda.now_us();
  agenda.in(4'000 * ms, [this, &client, &socket, adopt] {
    if (client.socket != &socket || client.joined || !socket.open || client.replaced)
      return;
    shut(socket);
    client.socket = nullptr;
    agenda.in(rng.between(300, 1'500), [this, &client, adopt] {
      if (!client.socket)
        connect(client, adopt);
    });
  });
}

void World::shut(Socket &socket) {
  socket.open = false;
  agenda.in(rng.between(0.2, 3), [&socket] {
    socket.gateway->see(
        [&socket] { socket.gateway->book->disconnected(socket, socket.gateway->now()); });
  });
}

void World::told_removed(Client &client, Uid uid, const Gateway &gateway) {
  const auto speaker = std::find_if(clients_.begin(), clients_.end(), [&] (const Client &each) {
    return each.uid == uid && each.key == client.key && !each.replaced && each.pushing &&
           each.joined;
  });
  if (!client.view.contains(uid) || speaker == clients_.end() || &*speaker == &client)
    return;
  const std::int64_t disturbed_us =
      std::max({speaker->since_us, speaker->pushed_us, speaker->gateway->fault_us, gateway.fault_us,
                client.since_us});
  const std::int64_t calm_ms = (agenda.now_us() - disturbed_us) / ms;
  constexpr std::int64_t settled_ms = 15'000;
  if (calm_ms > settled_ms)
    bad(std::to_string(client.uid) + " at " + gateway.name + " is told that " +
        std::to_string(uid) + " at " + speaker->gateway->name +
        " is gone, which has been calm for " + std::to_string(calm_ms) + " ms");
}

void World::hear(Socket &socket, const Told &told) {
  Client &client = *socket.client;
  if (&socket != client.socket || !socket.open)
    return;
  switch (told.what) {
    case Told::What::joined:
      client.joined = true;
      client.gateway = socket.gateway;
      client.since_us = agenda.now_us();
      if (client.speaker)
        agenda.in(rng.between(20, 200), [this, &client, &socket] { publish(client, socket); });
      return;
    case Told::What::added:
    case Told::What::moved:
      client.view[told.uid] = true;
      return;
    case Told::What::removed:
      told_removed(client, told.uid, *socket.gateway);
      client.view.erase(told.uid);
      return;
    case Told::What::replaced:
      if (logs_)
        say("client #" + std::to_string(client.index) + " is replaced");
      client.replaced = true;
      end_push(client);
      client.joined = false;
      return;
    case Told::What::refused:
      client.joined = false;
      return;
  }
}

void World::closed(Socket &socket) {
  Client &client = *socket.client;
  const bool mine = &socket == client.socket && socket.open;
  socket.open = false;
  if (!mine || client.replaced)
    return;
  client.joined = false;
  agenda.in(rng.between(500, 1'000), [this, &client] { connect(client, true); });
}

void World::publish(Client &client, Socket &socket) {
  if (&socket != client.socket || !client.joined || client.replaced)
    return;
  const std::string stream = "st" + std::to_string(next_name());
  Gateway *gateway = socket.gateway;
  gateway->see([this, &client, &socket, stream, gateway] {
    if (&socket != client.socket || !gateway->book->push(socket, stream, gateway->now()))
      return;
    client.stream = stream;
    client.push_gateway = gateway;
    client.pushing = true;
    client.pushed_us = agenda.now_us();
  });
  const std::string old = client.stream == stream ? "" : client.stream;
  Gateway *old_gateway = client.push_gateway;
  if (!old.empty() && old_gateway && old_gateway->alive)
    agenda.in(200 * ms, [old_gateway, old] {
      old_gateway->see(
          [old_gateway, old] { old_gateway->book->push_ended(old, old_gateway->now()); });
    });
}

void World::end_push(Client &client) {
  if (!client.stream.empty() && client.push_gateway && client.push_gateway->alive)
    agenda.in(5 * ms, [gateway = client.push_gateway, stream = client.stream] {
      gateway->see([gateway, stream] { gateway->book->push_ended(stream, gateway->now()); });
    });
  client.stream.clear();
  client.pushing = false;
}

// Its sockets are gone at once.
void World::lose_gateway(Gateway &gateway) {
  for (Client &client : clients_) {
    if (client.socket && client.socket->gateway == &gateway && client.socket->open) {
      Socket *socket = client.socket;
      socket->open = false;
      if (client.push_gateway == &gateway) {
        client.pushing = false;
        client.stream.clear();
      }
      if (client.replaced)
        continue;
      client.joined = false;
      agenda.in(rng.between(500, 2'500), [this, &client, socket] {
        if (client.socket == socket)
          connect(client, true);
      });
    } else if (client.push_gateway == &gateway) {
      client.stream.clear();
      client.pushing = false;
    }
  }
}

// What a replica has when the store fails over to it.
void World::remember() {
  if (store_up) {
    history_.emplace_back(agenda.now_us(), directory);
    if (history_.size() > 2)
      history_.pop_front();
  }
  agenda.in(500 * ms, [this] { remember(); });
}

std::vector<std::string> World::run() {
  for (std::size_t n = 0; n < number_of_faults; n++)
    if (seed_ % 2 || n == Fault::move || rng.chance(0.4))
      faults_.push_back(n);
  remember();
  for (int n = 0; n < 3; n++)
    add_gateway();
  for (Uid uid = 1; uid <= 12; uid++)
    add_client(uid, channels[rng.below(2)], rng.chance(0.5));
  end_us_ = agenda.now_us() + faults_us;
  agenda.in(4'000 * ms, [this] { next_fault(); });
  while (agenda.step(end_us_ + quiet_us)) {
  }
  judge();
  return bad_;
}

}  // namespace sim
