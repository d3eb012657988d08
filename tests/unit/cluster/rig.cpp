// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/cluster/rig.hpp"

#include <algorithm>

namespace sim {

namespace {

std::string word (const Told &told) {
  const std::string uid = ' ' + std::to_string(told.uid);
  switch (told.what) {
    case Told::What::joined:
      return "joined" + uid;
    case Told::What::refused:
      return "refused " + std::string(to_string(told.verdict));
    case Told::What::replaced:
      return "replaced";
    case Told::What::added:
      return "added" + uid;
    case Told::What::moved:
      return "moved" + uid;
    case Told::What::removed:
      return "removed" + uid;
  }
  return "";
}

ClusterSettings settings_of (const std::string &name, unsigned max_members, unsigned max_channels) {
  ClusterSettings settings;
  settings.gateway = name;
  settings.origin = "127.0.0.1:1935";
  settings.info = "info-of-" + name;
  settings.max_members = max_members;
  settings.max_channels = max_channels;
  return settings;
}

}  // namespace

Station::Station(Rig &of, std::string its_name, unsigned max_members, unsigned max_channels)
    : rig(of),
      name(std::move(its_name)),
      book(settings_of(name, max_members, max_channels), *this) {
  book.start(rig.now());
}

Socket &Station::open(const std::string &key) {
  Socket &socket = rig.sockets.emplace_back();
  socket.id = rig.sockets.size();
  socket.key = key;
  return socket;
}

Socket &Station::join(Uid uid, bool adopt, std::vector<Uid> known, const std::string &account,
                      const std::string &key) {
  Socket &socket = open(key);
  book.join(socket, uid, adopt, std::move(known), rig.now(), account);
  return socket;
}

std::string Station::told(const Socket &socket) {
  return std::exchange(told_[socket.id], "");
}

bool Station::push(Socket &socket, const std::string &stream) {
  return book.push(socket, stream, rig.now());
}

std::string Station::heard(const std::string &key) const {
  std::string out;
  for (const auto &[uid, stream] : book.heard(key))
    out += (out.empty() ? "" : ", ") + std::to_string(uid) + ' ' + stream;
  return out;
}

void Station::ask(Ticket ticket, Operation operation) {
  if (linked)
    asks.emplace_back(ticket, std::move(operation));
  else
    answers.emplace_back(ticket, Answer());
}

void Station::watch(const std::string &topic) {
  wanted.insert(topic);
  if (!linked)
    return;
  topics.insert(topic);
  messages.emplace_back(topic, "");
}

void Station::unwatch(const std::string &topic) {
  wanted.erase(topic);
  topics.erase(topic);
}

void Station::tell(Socket &socket, const Told &told) {
  std::string &all = told_[socket.id];
  all += (all.empty() ? "" : ", ") + word(told);
}

void Station::drop(Socket &socket) {
  socket.open = false;
}

std::uint64_t Station::random() {
  return ++rig.randoms;
}

// What was under way is lost.
void Station::down() {
  linked = false;
  topics.clear();
  messages.clear();
  std::vector<Ticket> lost;
  for (const auto &[ticket, answer] : std::exchange(answers, {}))
    lost.push_back(ticket);
  for (const auto &[ticket, operation] : std::exchange(asks, {}))
    lost.push_back(ticket);
  book.at(rig.now()).store_down(rig.now());
  for (const Ticket ticket : lost)
    book.at(rig.now()).stored(ticket, Answer(), rig.now());
}

void Station::up() {
  linked = true;
  book.at(rig.now()).store_up(rig.now());
  const auto all = wanted;
  for (const std::string &topic : all)
    watch(topic);
}

void Station::execute() {
  while (!asks.empty() && !dead) {
    const auto [ticket, operation] = std::move(asks.front());
    asks.pop_front();
    answers.emplace_back(ticket, rig.apply(operation));
  }
}

void Station::answer() {
  while (!answers.empty() && !dead) {
    const auto [ticket, answer] = std::move(answers.front());
    answers.pop_front();
    book.at(rig.now()).stored(ticket, answer, rig.now());
  }
}

void Station::listen() {
  while (!messages.empty() && !dead) {
    const auto [topic, message] = std::move(messages.front());
    messages.pop_front();
    if (message.empty())
      book.at(rig.now()).subscribed(topic, rig.now());
    else
      book.at(rig.now()).heard(topic, message, rig.now());
  }
}

Station &Rig::add(const std::string &name, unsigned max_members, unsigned max_channels) {
  stations.push_back(std::make_unique<Station>(*this, name, max_members, max_channels));
  stations.back()->up();
  settle();
  return *stations.back();
}

Answer Rig::apply(const Operation &operation) {
  return directory.apply(operation, wall_ms_,
                         [this] (const std::string &topic, const std::string &message) {
                           for (const auto &station : stations)
                             if (station->topics.contains(topic))
                               station->messages.emplace_back(topic, message);
                         });
}

void Rig::settle() {
  for (bool busy = true; busy;) {
    busy = false;
    for (const auto &station : stations) {
      Station &each = *station;
      if (each.dead)
        continue;
      if (!each.holds_asks && !each.asks.empty()) {
        busy = true;
        each.execute();
      }
      if (!each.holds_answers && !each.answers.empty()) {
        busy = true;
        each.answer();
      }
      if (!each.holds_messages && !each.messages.empty()) {
        busy = true;
        each.listen();
      }
    }
  }
}

void Rig::pass(std::int64_t ms) {
  constexpr std::int64_t step_ms = 100;
  for (std::int64_t left = ms; left > 0; left -= step_ms) {
    now_ms_ += std::min(left, step_ms);
    wall_ms_ += std::min(left, step_ms);
    for (const auto &station : stations)
      if (!station->dead)
        station->book.tick(now());
    settle();
  }
}

std::string Rig::owner(Uid uid, const std::string &key) const {
  const auto members = directory.members(key);
  const auto found = members.find(uid);
  return found == members.end() ? "" : found->second.substr(0, found->second.find('|'));
}

std::string Rig::entry(Uid uid, const std::string &key) const {
  const auto speakers = directory.speakers(key);
  const auto found = speakers.find(uid);
  if (found == speakers.end())
    return "";
  const auto parsed = parse_entry(found->second);
  return parsed ? parsed->gateway + ' ' + parsed->stream : found->second;
}

}  // namespace sim
