// SPDX-License-Identifier: LGPL-2.1-or-later
// Several channel books that share one store in this process. What each of them orders of it is
// done after its call, in order, and what is published reaches all who watch before the next call.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/directory.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace agora::gateway {

class ClusterScene {
 public:
  explicit ClusterScene(int gateways, const Config &config = plain_config()) {
    for (int n = 0; n < gateways; n++) {
      Config own = config;
      own.cluster = ClusterConfig{"0000000" + std::to_string(n + 1),
                                  "192.0.2." + std::to_string(n + 101) + ":1935",
                                  "fedcba9876543210fedcba9876543210", "info"};
      auto gateway = std::make_unique<Gateway>(own);
      gateway->scene.store = [this, raw = gateway.get()] (const Command &command) {
        orders_.emplace_back(raw, command);
        if (!std::exchange(busy_, true))
          settle();
      };
      gateways_.push_back(std::move(gateway));
    }
    for (auto &gateway : gateways_) {
      Scene &scene = gateway->scene;
      scene.take(scene.book.start_cluster(scene.now));
      scene.more(scene.book.store_up(scene.now));
    }
    forget();
  }

  Scene &operator[](std::size_t n) { return gateways_[n]->scene; }
  cluster::Directory directory;

  // What was told so far counts no more.
  void forget () {
    for (auto &gateway : gateways_)
      gateway->scene.last.clear();
  }
  void pass (std::int64_t ms) {
    forget();
    for (std::int64_t left = ms; left > 0; left -= 500)
      for (auto &gateway : gateways_) {
        if (gateway->dead)
          continue;
        Commands before = std::move(gateway->scene.last);
        gateway->scene.pass(std::min<std::int64_t>(left, 500));
        std::move(gateway->scene.last.begin(), gateway->scene.last.end(),
                  std::back_inserter(before));
        gateway->scene.last = std::move(before);
      }
  }
  // How often the store was asked for each kind of work; and what it has done of `held`, but
  // answers only when it is let go.
  std::map<cluster::OperationKind, std::size_t> asked;
  std::optional<cluster::OperationKind> held;
  void let_go () {
    for (const auto &[gateway, ticket, answer] : std::exchange(late_, {}))
      gateway->scene.more(gateway->scene.book.stored(ticket, answer, gateway->scene.now));
  }
  // What is published under topics that begin so is lost on its way; and how much of it was, lost
  // or not.
  std::optional<std::string> unheard;
  std::size_t published (const std::string &prefix) const {
    std::size_t count = 0;
    for (const auto &[topic, many] : published_)
      count += topic.starts_with(prefix) ? many : 0;
    return count;
  }
  bool hears (std::size_t n, const std::string &prefix) const {
    const auto at = gateways_[n]->topics.lower_bound(prefix);
    return at != gateways_[n]->topics.end() && at->starts_with(prefix);
  }
  // Without a word, as by kill -9.
  void kill (std::size_t n) { gateways_[n]->dead = true; }
  // What it asks is not answered from now on; or is again.
  void cut (std::size_t n) {
    Gateway &gateway = *gateways_[n];
    gateway.away = true;
    gateway.confirmed.clear();
    gateway.scene.more(gateway.scene.book.store_down(gateway.scene.now));
  }
  void mend (std::size_t n) {
    Gateway &gateway = *gateways_[n];
    gateway.away = false;
    gateway.scene.more(gateway.scene.book.store_up(gateway.scene.now));
    for (const std::string &topic : gateway.topics) {
      gateway.confirmed.insert(topic);
      gateway.scene.more(gateway.scene.book.subscribed(topic, gateway.scene.now));
    }
  }

 private:
  struct Gateway {
    explicit Gateway(const Config &config) : scene(config) {}
    Scene scene;
    std::set<std::string> topics, confirmed;
    bool away = false;
    bool dead = false;
  };
  void settle () {
    while (!orders_.empty()) {
      const auto [gateway, command] = std::move(orders_.front());
      orders_.pop_front();
      Scene &scene = gateway->scene;
      if (const auto *watch = std::get_if<Watch>(&command)) {
        if (!watch->on) {
          gateway->topics.erase(watch->topic);
          gateway->confirmed.erase(watch->topic);
        } else if (gateway->topics.insert(watch->topic).second && !gateway->away) {
          gateway->confirmed.insert(watch->topic);
          scene.more(scene.book.subscribed(watch->topic, scene.now));
        }
        continue;
      }
      const auto &ask = std::get<Ask>(command);
      std::vector<std::pair<std::string, std::string>> messages;
      cluster::Answer answer;
      if (!gateway->away)
        answer = directory.apply(ask.operation, 1'799'999'000'000 + scene.now.mono_ms,
                                 [&] (const std::string &topic, const std::string &message) {
                                   messages.emplace_back(topic, message);
                                 });
      asked[ask.operation.kind]++;
      if (held == ask.operation.kind)
        late_.emplace_back(gateway, ask.ticket, answer);
      else
        scene.more(scene.book.stored(ask.ticket, answer, scene.now));
      for (const auto &[topic, message] : messages) {
        published_[topic]++;
        if (unheard && topic.starts_with(*unheard))
          continue;
        for (auto &each : gateways_)
          if (!each->dead && each->confirmed.contains(topic))
            each->scene.more(each->scene.book.heard(topic, message, each->scene.now));
      }
    }
    busy_ = false;
  }
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::deque<std::pair<Gateway *, Command>> orders_;
  std::vector<std::tuple<Gateway *, cluster::Ticket, cluster::Answer>> late_;
  std::map<std::string, std::size_t> published_;
  bool busy_ = false;
};

// The texts may be gone before a macro of GLib's has looked at them.
inline void same (const std::string &text, const std::string &expected) {
  g_assert_cmpstr(text.c_str(), ==, expected.c_str());
}

inline std::string stream_of (const std::string &url) {
  return Scene::hook(HookCall::play, url, 0).stream;
}

// A speaker at the first gateway, a listener at the second, who plays it.
struct Pair : ClusterScene {
  Pair() : ClusterScene(2) {
    Scene &a = (*this)[0], &b = (*this)[1];
    pushed = a.on_air(1, 7, 100);
    b.join(2, "8");
    same(b.told(2), "added 7");
    played = b.subscribe(2, 7);
    g_assert_true(b.play(played, 200));
    forget();
  }
  std::string pushed;
  std::string played;
};

}  // namespace agora::gateway
