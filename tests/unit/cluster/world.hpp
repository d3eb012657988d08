// SPDX-License-Identifier: LGPL-2.1-or-later
// A cluster in one process, in simulated time: gateways, a store with its faults, the links between
// them, clients. One seed is one schedule, and always the same one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "signaling/gateway/cluster/directory.hpp"
#include "tests/unit/cluster/book.hpp"

namespace sim {

constexpr std::int64_t ms = 1'000;  // microseconds
constexpr const char *channels[] = {"a/one", "a/two"};

enum Fault : std::size_t {
  crash,
  freeze,
  cut_one,
  store_lost,
  store_restart,
  failover,
  lost_messages,
  move,
  lost_socket,
  device,
  toggle,
  push_lost,
  leave,
  number_of_faults
};

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  std::uint64_t next () {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double unit () { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance (double p) { return unit() < p; }
  // Both in milliseconds; the answer in microseconds.
  std::int64_t between (double from_ms, double to_ms) {
    return static_cast<std::int64_t>(1'000 * (from_ms + unit() * (to_ms - from_ms)));
  }
  std::size_t below (std::size_t n) { return static_cast<std::size_t>(next() % n); }

 private:
  std::uint64_t state_;
};

// What is to happen, by time, and by order of being asked for.
class Agenda {
 public:
  std::int64_t now_us () const { return now_us_; }
  void in (std::int64_t after_us, std::function<void()> what);
  // The next thing, if it is due by then.
  bool step (std::int64_t until_us);

 private:
  struct Item {
    std::int64_t at_us;
    std::uint64_t order;
    std::function<void()> what;
  };
  struct Later {
    bool operator()(const Item &a, const Item &b) const {
      return a.at_us != b.at_us ? a.at_us > b.at_us : a.order > b.order;
    }
  };
  std::vector<Item> heap_;
  std::int64_t now_us_ = 0;
  std::uint64_t orders_ = 0;
};

class World;

// A gateway with its link to the store.
class Gateway final : public BookPorts {
 public:
  enum class Link { down, up, mute };
  Gateway(World &world, std::string name);

  // Nothing that comes from outside reaches a frozen gateway before it thaws, nor a dead one ever.
  void see (std::function<void()> what);
  void connect ();
  // The link is mute, and after a while the gateway notices.
  void cut (std::int64_t notice_us, bool counts_as_fault);
  // Messages are lost until then, though the store answers.
  void subscribe_anew (std::int64_t after_us);
  void die ();
  void freeze ();
  void thaw ();
  void deliver (const std::string &topic, const std::string &message);
  Moment now () const;
  void tick ();

  // BookPorts
  void ask (Ticket ticket, Operation operation) override;
  void watch (const std::string &topic) override;
  void unwatch (const std::string &topic) override;
  void tell (Socket &socket, const Told &told) override;
  void drop (Socket &socket) override;
  std::uint64_t random () override;

  World &world;
  const std::string name;
  bool alive = true;
  bool frozen = false;
  bool partitioned = false;
  Link link = Link::down;
  std::int64_t fault_us = 0;     // the last one
  std::set<std::string> topics;  // at the store
  std::unique_ptr<Book> book;

 private:
  std::int64_t soon ();
  void log_operation (const Operation &operation, const Answer &answer);

  std::uint64_t connection_ = 0;
  std::set<std::string> wanted_;
  std::map<Ticket, bool> waiting_;  // for their answers
  std::int64_t asks_at_us_ = 0, answers_at_us_ = 0, messages_at_us_ = 0;
  std::deque<std::function<void()>> thawing_;
  std::int64_t mono_ahead_ms_ = 0, wall_ahead_ms_ = 0;
};

struct Client {
  std::size_t index = 0;
  Uid uid = 0;
  std::string key;
  bool speaker = false;
  Socket *socket = nullptr;
  std::map<Uid, bool> view;
  bool joined = false;
  bool replaced = false;
  bool wants = true;
  bool pushing = false;
  std::string stream;
  Gateway *gateway = nullptr;  // at which it joined last
  Gateway *push_gateway = nullptr;
  std::int64_t since_us = 0;  // moved last
  std::int64_t pushed_us = 0;
};

class World {
 public:
  World(std::uint64_t seed, bool logs);
  // A minute of faults, and then quiet. What is wrong in the end, or was on the way.
  std::vector<std::string> run ();
  std::vector<std::string> log;

  // Of gateways.
  Agenda agenda;
  Rng rng;
  Directory directory;
  bool store_up = true;
  const bool slow_links;
  std::int64_t store_ms () const { return 1'764'000'000'000 + agenda.now_us() / 1'000; }
  Answer apply (const Operation &operation);
  void say (const std::string &what);
  bool says () const { return logs_; }
  void hear (Socket &socket, const Told &told);
  void closed (Socket &socket);
  std::uint64_t next_name () { return ++names_; }

 private:
  Gateway &add_gateway ();
  std::vector<Gateway *> live ();
  Client &add_client (Uid uid, const std::string &key, bool speaker);
  Client *pick (const std::function<bool(const Client &)> &which);
  void connect (Client &client, bool adopt);
  void shut (Socket &socket);
  void publish (Client &client, Socket &socket);
  void end_push (Client &client);
  void told_removed (Client &client, Uid uid, const Gateway &gateway);
  void lose_gateway (Gateway &gateway);
  void remember ();
  void next_fault ();
  void fault (std::size_t which);
  void store_away (double notice_ms, double away_ms);
  void judge ();
  void bad (const std::string &what);

  const bool logs_;
  const std::uint64_t seed_;
  std::uint64_t names_ = 0;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::deque<Client> clients_;
  std::deque<Socket> sockets_;
  std::deque<std::pair<std::int64_t, Directory>> history_;
  std::vector<std::size_t> faults_;
  std::int64_t end_us_ = 0;
  std::vector<std::string> bad_;
};

}  // namespace sim
