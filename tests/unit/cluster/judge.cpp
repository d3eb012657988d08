// SPDX-License-Identifier: LGPL-2.1-or-later
// What is to be so once all is quiet.
#include "tests/unit/cluster/world.hpp"

namespace sim {

namespace {

std::string list (const std::set<Uid> &uids) {
  std::string out;
  for (const Uid uid : uids)
    out += (out.empty() ? "" : ",") + std::to_string(uid);
  return "[" + out + "]";
}

std::string named (std::string what, const std::string &key, const std::string &text) {
  return what.append(key).append(": ").append(text);
}

}  // namespace

void World::judge() {
  for (const Client &client : clients_)
    if (!client.replaced && client.wants && !client.joined)
      bad("client #" + std::to_string(client.index) + " is not joined in the end");
  for (const std::string key : channels) {
    std::map<Uid, const Client *> by_uid;
    std::set<Uid> truth;
    for (const Client &client : clients_) {
      if (client.replaced || !client.wants || client.key != key)
        continue;
      if (!by_uid.emplace(client.uid, &client).second)
        bad("two members have uid " + std::to_string(client.uid) + " in " + key);
      if (client.pushing)
        truth.insert(client.uid);
    }
    const auto members = directory.members(key), speakers = directory.speakers(key);
    for (const auto &[uid, client] : by_uid) {
      const auto record = members.find(uid);
      if (record == members.end())
        bad("the store lacks " + std::to_string(uid) + " of " + key);
      else if (client->socket && !record->second.starts_with(client->socket->gateway->name + '|'))
        bad("the store has " + record->second + " for " + std::to_string(uid) + " of " + key +
            ", which is at " + client->socket->gateway->name);
    }
    for (const auto &[uid, record] : members)
      if (!by_uid.contains(uid))
        bad(named("the store has a ghost in ", key, record));
    for (const auto &[uid, entry] : speakers)
      if (!truth.contains(uid))
        bad(named("the store has a ghost's stream in ", key, entry));
    for (const Uid uid : truth)
      if (!speakers.contains(uid))
        bad("the store lacks the stream of " + std::to_string(uid) + " in " + key);
    for (const auto &[uid, client] : by_uid) {
      std::set<Uid> want = truth, got;
      for (const auto &[seen, on] : client->view)
        got.insert(seen);
      want.erase(uid);
      got.erase(uid);
      if (want != got)
        bad("client #" + std::to_string(client->index) + " in " + key + " sees " + list(got) +
            " instead of " + list(want));
    }
    for (const Gateway *gateway : live()) {
      for (const auto &[place, member] : gateway->book->members()) {
        const auto client = by_uid.find(place.second);
        if (place.first == key && (client == by_uid.end() || !client->second->socket ||
                                   client->second->socket->gateway != gateway))
          bad(gateway->name + " has a ghost " + std::to_string(place.second) + " in " + key);
      }
      for (const auto &[place, stream] : gateway->book->orphans())
        if (place.first == key)
          bad(gateway->name + " keeps the push " + stream + " of who went elsewhere");
      // Streams that its members hear are those that are pushed, also by name.
      for (const auto &[uid, stream] : gateway->book->heard(key))
        if (const auto client = by_uid.find(uid);
            truth.contains(uid) && client->second->stream != stream)
          bad(gateway->name + " hears " + std::to_string(uid) + " by " + stream + " instead of " +
              client->second->stream);
    }
  }
  for (const auto &gateway : gateways_)
    for (const std::string &what : gateway->book->oddities)
      bad(gateway->name + " found odd: " + what);
}

}  // namespace sim
