// SPDX-License-Identifier: LGPL-2.1-or-later
// What befalls the cluster of the simulation and its clients.
#include <utility>

#include "tests/unit/cluster/world.hpp"

namespace sim {

void World::next_fault() {
  if (agenda.now_us() > end_us_)
    return;
  fault(faults_[rng.below(faults_.size())]);
  agenda.in(rng.between(200, 6'000), [this] { next_fault(); });
}

void World::store_away(double notice_ms, double away_ms) {
  store_up = false;
  for (Gateway *gateway : live())
    gateway->cut(rng.between(0, notice_ms), false);
  agenda.in(rng.between(50, away_ms), [this] {
    store_up = true;
    say("the store is back");
  });
}

void World::fault(std::size_t which) {
  const auto living = live();
  const auto any = [] (const Client &) { return true; };
  switch (which) {
    case Fault::crash: {
      if (living.size() < 2)
        return;
      Gateway &gateway = *living[rng.below(living.size())];
      say(gateway.name + " crashes");
      gateway.die();
      lose_gateway(gateway);
      agenda.in(rng.between(500, 8'000), [this] { add_gateway(); });
      return;
    }
    case freeze: {
      std::vector<Gateway *> warm;
      for (Gateway *gateway : living)
        if (!gateway->frozen)
          warm.push_back(gateway);
      if (warm.size() < 2)
        return;
      Gateway &gateway = *warm[rng.below(warm.size())];
      gateway.freeze();
      gateway.fault_us = agenda.now_us();
      say(gateway.name + " freezes");
      agenda.in(10'000 * ms, [this, &gateway] {
        if (!gateway.frozen)
          return;
        for (Client &client : clients_) {
          if (!client.socket || client.socket->gateway != &gateway || !client.socket->open ||
              client.replaced)
            continue;
          Socket *socket = client.socket;
          shut(*socket);
          client.joined = false;
          agenda.in(rng.between(200, 1'500), [this, &client, socket] {
            if (client.socket == socket)
              connect(client, true);
          });
        }
      });
      agenda.in(rng.between(500, 14'000), [this, &gateway] {
        gateway.fault_us = agenda.now_us();
        say(gateway.name + " thaws");
        gateway.thaw();
      });
      return;
    }
    case cut_one: {
      Gateway &gateway = *living[rng.below(living.size())];
      if (gateway.link != Gateway::Link::up)
        return;
      gateway.partitioned = true;
      gateway.cut(rng.between(0, 2'000), true);
      agenda.in(rng.between(100, 15'000), [this, &gateway] {
        gateway.partitioned = false;
        gateway.fault_us = agenda.now_us();
      });
      return;
    }
    case store_lost:
      say("the store is lost, and comes back empty");
      directory = Directory();
      return store_away(50, 12'000);
    case store_restart:
      say("the store restarts with its data");
      return store_away(50, 12'000);
    case failover:
      say("the store fails over, and loses its last writes");
      if (!history_.empty())
        directory = history_.front().second;
      return store_away(300, 3'000);
    case lost_messages: {
      Gateway &gateway = *living[rng.below(living.size())];
      say(gateway.name + " loses its subscriptions");
      return gateway.subscribe_anew(rng.between(1, 1'000));
    }
    case move: {
      Client *client = pick(any);
      if (!client)
        return;
      Socket *socket = client->socket;
      connect(*client, true);
      if (rng.chance(0.5))
        agenda.in(rng.between(0, 3'000), [this, socket] {
          if (socket->open)
            shut(*socket);
        });
      return;
    }
    case lost_socket: {
      Client *client = pick(any);
      if (!client)
        return;
      Socket *socket = client->socket;
      shut(*socket);
      client->joined = false;
      agenda.in(rng.between(200, 3'000), [this, client, socket] {
        if (client->socket == socket)
          connect(*client, true);
      });
      return;
    }
    case device: {
      if (Client *client = pick(any)) {
        if (logs_)
          say("another device for " + std::to_string(client->uid));
        add_client(client->uid, client->key, client->speaker);
      }
      return;
    }
    case toggle: {
      Client *client = pick([] (const Client &each) { return each.speaker; });
      if (!client)
        return;
      if (!client->pushing)
        return publish(*client, *client->socket);
      client->stream.clear();
      client->pushing = false;
      Socket &socket = *client->socket;
      socket.gateway->see([client, &socket] {
        socket.gateway->book->unpublish(socket, socket.gateway->now());
        // What it asked for before a freeze comes first.
        if (client->socket == &socket) {
          client->stream.clear();
          client->pushing = false;
        }
      });
      return;
    }
    case push_lost: {
      Client *client = pick([] (const Client &each) { return each.pushing; });
      if (!client)
        return;
      client->pushing = false;
      Gateway *gateway = client->push_gateway;
      gateway->see([gateway, stream = client->stream] {
        gateway->book->push_ended(stream, gateway->now());
      });
      agenda.in(rng.between(100, 5'000), [this, client, socket = client->socket] {
        if (client->socket == socket && client->joined)
          publish(*client, *socket);
      });
      return;
    }
    case leave: {
      Client *client = pick(any);
      if (!client)
        return;
      Socket &socket = *client->socket;
      client->wants = client->joined = client->pushing = false;
      client->stream.clear();
      client->socket = nullptr;
      socket.open = false;
      socket.gateway->see(
          [&socket] { socket.gateway->book->leave(socket, socket.gateway->now()); });
      if (rng.chance(0.7))
        agenda.in(rng.between(0, 5'000),
                  [this, uid = client->uid, key = client->key, speaker = client->speaker] {
                    add_client(uid, key, speaker);
                  });
      return;
    }
    default:
      return;
  }
}

}  // namespace sim
