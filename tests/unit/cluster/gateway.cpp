// SPDX-License-Identifier: LGPL-2.1-or-later
// A gateway of the simulation, and its link to the store.
#include <algorithm>
#include <utility>

#include "tests/unit/cluster/world.hpp"

namespace sim {

Gateway::Gateway(World &of, std::string its_name) : world(of), name(std::move(its_name)) {
  ClusterSettings settings;
  settings.gateway = name;
  settings.origin = "127.0.0.1:1935";
  settings.info = "info";
  settings.max_members = 20'000;
  settings.max_channels = 10'000;
  book = std::make_unique<Book>(settings, *this);
  fault_us = world.agenda.now_us();
  // No two machines have one monotonic clock, and the wall clock of some is wrong.
  mono_ahead_ms_ = static_cast<std::int64_t>(world.rng.below(1'000'000));
  if (world.rng.chance(0.2))
    wall_ahead_ms_ = static_cast<std::int64_t>(world.rng.below(7'200'000)) - 3'600'000;
  book->start(now());
}

Moment Gateway::now() const {
  const std::int64_t ms = world.store_ms();
  return {ms % 1'000'000'000 + mono_ahead_ms_, ms + wall_ahead_ms_};
}

// A round trip is quick, unless the network is slow.
std::int64_t Gateway::soon() {
  return world.rng.chance(world.slow_links ? 0.2 : 0.02) ? world.rng.between(20, 400)
                                                         : world.rng.between(0.1, 3);
}

void Gateway::see(std::function<void()> what) {
  if (!alive)
    return;
  if (frozen)
    thawing_.push_back(std::move(what));
  else
    what();
}

void Gateway::freeze() {
  frozen = true;
}

void Gateway::thaw() {
  frozen = false;
  if (!alive)
    return;
  const auto missed = std::exchange(thawing_, {});
  for (const auto &what : missed)
    see(what);
}

void Gateway::die() {
  alive = false;
  link = Link::down;
  connection_++;
  topics.clear();
  thawing_.clear();
}

void Gateway::deliver(const std::string &topic, const std::string &message) {
  messages_at_us_ = std::max(messages_at_us_, world.agenda.now_us() + soon());
  world.agenda.in(messages_at_us_ - world.agenda.now_us(),
                  [this, of = connection_, topic, message] {
                    if (connection_ != of)
                      return;
                    see([this, of, topic, message] {
                      if (world.says())
                        world.say("  " + name + " hears " + topic + " " + message);
                      if (connection_ == of)
                        book->at(now()).heard(topic, message, now());
                    });
                  });
}

void Gateway::log_operation(const Operation &operation, const Answer &answer) {
  if (!world.says() || operation.kind == OperationKind::lease)
    return;
  std::string line = "  " + name + ' ' + std::string(to_string(operation.kind));
  for (const std::string &text : operation.args)
    line += ' ' + text;
  line += " -> " + std::string(to_string(answer.verdict));
  for (const std::string &text : answer.values)
    line += ' ' + text;
  world.say(line);
}

void Gateway::ask(Ticket ticket, Operation operation) {
  if (link == Link::down) {
    world.agenda.in(0, [this, ticket] {
      see([this, ticket] { book->at(now()).stored(ticket, Answer(), now()); });
    });
    return;
  }
  waiting_[ticket] = true;
  asks_at_us_ = std::max(asks_at_us_, world.agenda.now_us() + soon());
  world.agenda.in(asks_at_us_ - world.agenda.now_us(), [this, ticket, of = connection_,
                                                        operation = std::move(operation)] {
    // What is on its way reaches the store, even if the sender has gone meanwhile.
    if (!waiting_.contains(ticket) || link == Link::mute || !world.store_up)
      return;
    const Answer answer = world.apply(operation);
    log_operation(operation, answer);
    answers_at_us_ = std::max(answers_at_us_, world.agenda.now_us() + soon());
    world.agenda.in(answers_at_us_ - world.agenda.now_us(), [this, ticket, of, answer] {
      if (connection_ != of || link != Link::up)
        return;
      see([this, ticket, answer] {
        if (waiting_.erase(ticket))
          book->at(now()).stored(ticket, answer, now());
      });
    });
  });
}

void Gateway::watch(const std::string &topic) {
  wanted_.insert(topic);
  if (link != Link::up)
    return;
  world.agenda.in(soon(), [this, topic, of = connection_] {
    if (connection_ != of || link != Link::up || !wanted_.contains(topic))
      return;
    topics.insert(topic);
    world.agenda.in(soon(), [this, topic, of] {
      see([this, topic, of] {
        if (connection_ == of && wanted_.contains(topic))
          book->at(now()).subscribed(topic, now());
      });
    });
  });
}

void Gateway::unwatch(const std::string &topic) {
  wanted_.erase(topic);
  topics.erase(topic);
}

void Gateway::subscribe_anew(std::int64_t after_us) {
  if (link != Link::up)
    return;
  topics.clear();
  fault_us = world.agenda.now_us();
  world.agenda.in(after_us, [this, of = connection_] {
    if (connection_ != of || link != Link::up)
      return;
    const auto wanted = wanted_;
    for (const std::string &topic : wanted)
      watch(topic);
  });
}

void Gateway::cut(std::int64_t notice_us, bool counts_as_fault) {
  if (link != Link::up)
    return;
  link = Link::mute;
  world.say(name + " is cut off");
  if (counts_as_fault)
    fault_us = world.agenda.now_us();
  world.agenda.in(notice_us, [this, of = connection_] {
    if (connection_ != of)
      return;
    connection_++;
    link = Link::down;
    topics.clear();
    const auto waiting = std::exchange(waiting_, {});
    see([this, waiting] {
      book->at(now()).store_down(now());
      for (const auto &[ticket, on] : waiting)
        book->at(now()).stored(ticket, Answer(), now());
    });
    connect();
  });
}

void Gateway::connect() {
  if (!alive || link != Link::down)
    return;
  if (!world.store_up || partitioned) {
    world.agenda.in(world.rng.between(100, 1'000), [this] { connect(); });
    return;
  }
  connection_++;
  link = Link::up;
  asks_at_us_ = answers_at_us_ = messages_at_us_ = world.agenda.now_us();
  world.say(name + " is connected");
  see([this, of = connection_] {
    if (connection_ != of)
      return;
    book->at(now()).store_up(now());
    const auto wanted = wanted_;
    for (const std::string &topic : wanted)
      watch(topic);
  });
}

void Gateway::tell(Socket &socket, const Told &told) {
  socket.told_us = std::max(socket.told_us, world.agenda.now_us() + world.rng.between(0.1, 2));
  world.agenda.in(socket.told_us - world.agenda.now_us(),
                  [this, &socket, told] { world.hear(socket, told); });
}

void Gateway::drop(Socket &socket) {
  socket.told_us = std::max(socket.told_us, world.agenda.now_us() + world.rng.between(0.1, 2));
  world.agenda.in(socket.told_us - world.agenda.now_us(),
                  [this, &socket] { world.closed(socket); });
}

std::uint64_t Gateway::random() {
  return world.rng.next() | 1;
}

void Gateway::tick() {
  see([this] { book->tick(now()); });
}

}  // namespace sim
