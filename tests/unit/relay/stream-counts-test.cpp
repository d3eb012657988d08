// SPDX-License-Identifier: LGPL-2.1-or-later
// What passed through each stream, and how the gateway is told.
#include <glib.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "signaling/relay/hub.hpp"
#include "signaling/relay/send-queue.hpp"
#include "signaling/relay/stream-counts.hpp"
#include "tests/suite.hpp"

namespace stream_counts_test {

using namespace agora::relay;
using agora::relay_line::StreamTraffic;

namespace {

void same (const std::string &text, const char *expected) {
  g_assert_cmpstr(text.c_str(), ==, expected);
}

// "voice 40 30 0 0 20": received, sent, dropped, cut, and the lag.
std::string told (StreamLedger &ledger) {
  ledger.begin_round(true);
  std::string all;
  while (ledger.waits()) {
    const auto traffic = ledger.next();
    g_assert_true(agora::relay_line::encode(traffic).has_value());
    for (const StreamTraffic &each : traffic.streams) {
      all += all.empty() ? each.stream : ", " + each.stream;
      for (const std::uint64_t figure : {each.received_bytes, each.sent_bytes, each.dropped_frames,
                                         each.cut_listeners, each.lag_ms})
        all += " " + std::to_string(figure);
    }
  }
  g_assert_true(ledger.next().streams.empty());
  return all;
}

// A listener as a connection is one: it has a queue, of which it sends what it is told to.
class Ear : public Subscriber {
 public:
  Ear() : Subscriber(1) {}
  void send (std::span<const PacketRef> packets) override {
    for (const PacketRef &packet : packets)
      queue.push(packet);
    queue.trim(limits);
  }
  void push_began () override {}
  void push_ended (bool) override {}
  void read (bool counted = true) { queue.advance(queue.bytes(), counted); }

  static constexpr SendLimits limits{1000, 100'000, 200'000};
  SendQueue queue;
};

class Push : public Publisher {
 public:
  explicit Push(bool counted = false) { counted_ = counted; }
};

void say (Hub &hub, Publisher &push, std::uint32_t ms, std::size_t size = 10) {
  std::string payload(size, '.');
  payload[0] = '\xaf';
  payload[1] = '\x01';
  hub.message(push, {rtmp::Type::audio,
                     ms,
                     {reinterpret_cast<const std::uint8_t *>(payload.data()), payload.size()}});
  hub.flush(push);
}

void payload_each_way () {
  Hub hub;
  Push push;
  Ear one, other;
  g_assert_true(hub.publish("voice", push));
  hub.play("voice", one);
  say(hub, push, 0);
  hub.play("voice", other);
  say(hub, push, 20, 30);
  // What waits in a queue hasn't been sent.
  other.read();
  same(told(hub.ledger()), "voice 40 30 0 0 20");
  one.read();
  same(told(hub.ledger()), "voice 0 40 0 0 0");
  same(told(hub.ledger()), "");
  // A header goes to who comes later, once more.
  const std::uint8_t header[] = {0xaf, 0, 1, 2};
  hub.message(push, {rtmp::Type::audio, 40, header});
  hub.flush(push);
  one.read();
  other.read();
  Ear late;
  hub.play("voice", late);
  late.read();
  same(told(hub.ledger()), "voice 4 12 0 0 0");
  for (Ear *ear : {&one, &other, &late})
    hub.leave(*ear);
  hub.unpublish(push);
}

// Between workers it was counted, or will be.
void not_twice () {
  Hub hub;
  Push push(true);
  Ear ear;
  g_assert_true(hub.publish("voice", push));
  hub.play("voice", ear);
  say(hub, push, 0);
  ear.read(false);
  same(told(hub.ledger()), "");
  say(hub, push, 20);
  ear.read();
  same(told(hub.ledger()), "voice 0 10 0 0 0");
  hub.leave(ear);
  hub.unpublish(push);
}

void who_is_slow () {
  Hub hub;
  Push push;
  Ear slow, good;
  g_assert_true(hub.publish("voice", push));
  hub.play("voice", slow);
  hub.play("voice", good);
  for (std::uint32_t ms = 0; ms <= 700; ms += 100) {
    say(hub, push, ms);
    good.read();
  }
  same(told(hub.ledger()), "voice 80 80 0 0 700");
  for (std::uint32_t ms = 800; ms <= 1300; ms += 100) {
    say(hub, push, ms);
    good.read();
  }
  // Those later than the limit are left out, and of those is said that alone.
  same(told(hub.ledger()), "voice 60 60 3 0 1000");
  // Time that goes back leaves out, too; it is no hour's lag.
  say(hub, push, 3'600'000);
  good.read();
  same(told(hub.ledger()), "voice 10 10 11 0 1000");
  slow.read();
  same(told(hub.ledger()), "voice 0 10 0 0 0");
  Hub::cut(slow);
  same(told(hub.ledger()), "voice 0 0 0 1 0");
  hub.leave(slow);
  // It is none any more.
  Hub::cut(slow);
  hub.leave(good);
  hub.unpublish(push);
  same(told(hub.ledger()), "");
}

// What is unsent when a stream ends is counted when it goes, and the last figures are told.
void after_the_end () {
  Hub hub;
  auto push = std::make_unique<Push>();
  Ear ear;
  g_assert_true(hub.publish("voice", *push));
  hub.play("voice", ear);
  say(hub, *push, 0);
  hub.unpublish(*push);
  hub.leave(ear);
  same(told(hub.ledger()), "voice 10 0 0 0 0");
  g_assert_cmpuint(hub.ledger().size(), ==, 1);
  ear.read();
  same(told(hub.ledger()), "voice 0 10 0 0 0");
  told(hub.ledger());
  g_assert_cmpuint(hub.ledger().size(), ==, 0);
  // Within one round: told, and forgotten.
  g_assert_true(hub.publish("short", *push));
  say(hub, *push, 0);
  hub.unpublish(*push);
  same(told(hub.ledger()), "short 10 0 0 0 0");
  g_assert_cmpuint(hub.ledger().size(), ==, 0);
}

void nobody_wants_to_know () {
  Hub hub;
  Push push;
  g_assert_true(hub.publish("voice", push));
  say(hub, push, 0);
  const auto look = [&hub] {
    hub.ledger().begin_round(false);
    g_assert_true(hub.ledger().next().streams.empty());
    g_assert_false(hub.ledger().waits());
  };
  look();
  g_assert_cmpuint(hub.ledger().size(), ==, 1);
  hub.unpublish(push);
  look();
  g_assert_cmpuint(hub.ledger().size(), ==, 0);
}

// It takes several calls where none has news.
void quiet_ones () {
  StreamLedger ledger;
  std::vector<CountsRef> held;
  for (int i = 0; i < 2000; i++)
    held.push_back(ledger.of(std::to_string(i)));
  held.back()->sent_bytes = 3;
  ledger.begin_round(true);
  g_assert_true(ledger.next().streams.empty());
  g_assert_true(ledger.waits());
  same(told(ledger), "1999 0 3 0 0 0");
  // One that comes again by its name is the same.
  held.resize(1000);
  ledger.of("1500")->sent_bytes = 4;
  const CountsRef again = ledger.of("1500");
  same(told(ledger), "1500 0 4 0 0 0");
  g_assert_cmpuint(ledger.size(), ==, 1001);
  g_assert_true(ledger.of("1500").get() == again.get());
}

// Each once, in packets that fit the line, whatever the names and figures are.
void many () {
  StreamLedger ledger;
  std::vector<CountsRef> held;
  std::set<std::string> names;
  for (int i = 0; i < 1000; i++) {
    std::string name = std::to_string(i);
    name.resize(i % 2 == 0 ? 32 : agora::relay_line::max_stream, i % 3 == 0 ? '"' : 'a');
    names.insert(name);
    held.push_back(ledger.of(name));
    StreamCounts &counts = *held.back().get();
    counts.received_bytes = counts.sent_bytes = ~std::uint64_t{0};
    counts.dropped_frames = counts.cut_listeners = ~std::uint64_t{0};
    counts.lag_ms = ~std::uint32_t{0};
  }
  held[0]->received_bytes = 7;
  ledger.begin_round(true);
  std::size_t packets = 0;
  std::set<std::string> heard;
  while (ledger.waits()) {
    const auto traffic = ledger.next();
    packets++;
    g_assert_true(agora::relay_line::encode(traffic).has_value());
    for (const auto &each : traffic.streams)
      g_assert_true(heard.insert(each.stream).second);
    // Others begin and end meanwhile; those of a round are told before them.
    ledger.of("new" + std::to_string(packets))->sent_bytes++;
    held.erase(held.begin());
    if (ledger.waits())
      ledger.begin_round(true);
  }
  g_assert_true(heard == names);
  g_assert_cmpuint(packets, <, 250);
  // All that are over are forgotten, and what they had to tell is told.
  held.clear();
  std::size_t late = 0;
  for (int round = 0; round < 2; round++)
    for (ledger.begin_round(true); ledger.waits();)
      late += ledger.next().streams.size();
  g_assert_cmpuint(late, ==, packets);
  g_assert_cmpuint(ledger.size(), ==, 0);
}

}  // namespace

static const agora::Suite suite("stream-counts", [] {
  g_test_add_func("/stream-counts/payload-each-way", payload_each_way);
  g_test_add_func("/stream-counts/not-twice", not_twice);
  g_test_add_func("/stream-counts/who-is-slow", who_is_slow);
  g_test_add_func("/stream-counts/after-the-end", after_the_end);
  g_test_add_func("/stream-counts/nobody-wants-to-know", nobody_wants_to_know);
  g_test_add_func("/stream-counts/quiet-ones", quiet_ones);
  g_test_add_func("/stream-counts/many", many);
});

}  // namespace stream_counts_test
