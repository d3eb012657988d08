// SPDX-License-Identifier: LGPL-2.1-or-later
// Who hears what: scripts of pushes and plays, and what each subscriber was sent.
#include <glib.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "signaling/relay/hub.hpp"
#include "tests/suite.hpp"

namespace hub_test {

using namespace agora::relay;

namespace {

using rtmp::Type;

// What each letter of a script is as a message.
const std::map<char, std::pair<Type, std::string>> messages = {
    {'a', {Type::audio, {"\xaf\x01..", 4}}},
    {'A', {Type::audio, {"\xaf\x00..", 4}}},
    {'O', {Type::audio, "\x90Opus."}},
    {'o', {Type::audio, "\x91Opus."}},
    {'v', {Type::video, "\x27\x01..."}},
    {'k', {Type::video, "\x17\x01..."}},
    {'V', {Type::video, {"\x17\x00...", 5}}},
    {'H', {Type::video, "\x90hvc1"}},
    {'m', {Type::data, {"\x02\x00\x0aonMetaData", 13}}},
};

char letter_of (const Packet &packet) {
  for (const auto &[letter, message] : messages)
    if (packet.bytes.size() > message.second.size() &&
        std::string_view(packet.bytes).ends_with(message.second))
      return letter;
  return '?';
}

class Ear : public Subscriber {
 public:
  explicit Ear(std::uint32_t stream) : Subscriber(stream) {}
  void send (std::span<const PacketRef> packets) override {
    writes++;
    for (const PacketRef &packet : packets) {
      heard += letter_of(*packet);
      times.push_back(packet->timestamp);
      g_assert_cmpuint(packet->stream, ==, stream_id());
    }
  }
  void push_began () override { heard += '('; }
  void push_ended (bool discard) override { heard += discard ? '!' : ')'; }

  std::string heard;
  std::vector<std::uint32_t> times;
  unsigned writes = 0;
};

// A script: P push, U its end, D its end at once, 1-3 a play of subscriber n (3 by another stream
// id), L1 it leaves, K1 it lost a key frame, ';' flush; other letters are messages.
struct Stage {
  void run (const std::string &script) {
    for (std::size_t i = 0; i < script.size(); i++) {
      const char letter = script[i];
      if (letter == 'P') {
        g_assert_true(hub.publish("voice", push));
      } else if (letter == 'U' || letter == 'D') {
        hub.unpublish(push, letter == 'D');
      } else if (letter >= '1' && letter <= '3') {
        hub.play("voice", *ears[static_cast<std::size_t>(letter - '1')]);
      } else if (letter == 'L') {
        hub.leave(*ears[static_cast<std::size_t>(script[++i] - '1')]);
      } else if (letter == 'K') {
        ears[static_cast<std::size_t>(script[++i] - '1')]->lost_video();
      } else if (letter == ';') {
        hub.flush(push);
      } else if (letter != ' ') {
        const auto &[type, payload] = messages.at(letter);
        hub.message(push,
                    {type,
                     time += 10,
                     {reinterpret_cast<const std::uint8_t *>(payload.data()), payload.size()}});
      }
    }
    hub.flush(push);
  }
  ~Stage() {
    for (auto &ear : ears)
      hub.leave(*ear);
    hub.unpublish(push);
    g_assert_cmpuint(hub.pushes(), ==, 0);
    g_assert_cmpuint(hub.subscribers(), ==, 0);
  }
  Hub hub;
  Publisher push;
  std::unique_ptr<Ear> ears[3] = {std::make_unique<Ear>(1), std::make_unique<Ear>(1),
                                  std::make_unique<Ear>(7)};
  std::uint32_t time = 0;
};

struct Row {
  const char *script;
  const char *heard[3];
};

const Row rows[] = {
    // Sound, from wherever one comes.
    {"1 P m A a;a 2 a a", {"(mAaaaa", "(mAaa", ""}},
    {"P A a a;1;a", {"(Aa", "", ""}},
    // A play that waits for its push.
    {"1 2 P A a; L1 a", {"(Aa", "(Aaa", ""}},
    // The last header of any codec.
    {"P m O o;o;1 o", {"(mOo", "", ""}},
    {"P A a A a m a 1 a", {"(Ama", "", ""}},
    {"P H k v 1 v k v", {"(Hkv", "", ""}},
    {"P O H k o v 1 o v o k v", {"(OHookv", "", ""}},
    // Video from a key frame, sound at once.
    {"P m V A k v a;1 v a v a k v a", {"(mVAaakva", "", ""}},
    {"1 P V k v k v", {"(Vkvkv", "", ""}},
    {"1 P V v k", {"(Vk", "", ""}},
    // Nor does one that was away go on in the middle.
    {"1 P V k v; L1 v 1 v a k v", {"(Vkv(Vakv", "", ""}},
    // One that has lost video waits for the next one; headers come to it all the same.
    {"1 2 P V k v; K1 v V v k v", {"(VkvVkv", "(VkvvVvkv", ""}},
    // Gone and back: heard on, without the old headers.
    {"1 P A a U P O o 2 o U", {"(Aa)(Ooo)", "(Oo)", ""}},
    {"1 P A a; a D P A a", {"(Aa!(Aa", "", ""}},
    {"1 P V k U P v k", {"(Vk)(k", "", ""}},
    // Nobody was told of a push that sent nothing.
    {"1 P U P a", {"(a", "", ""}},
    {"1 P a U", {"(a)", "", ""}},
    // Stream ids of different players.
    {"1 3 P A k a;v; L1 L3 3 a", {"(Akav", "", "(Akav(Aa"}},
};

void test_table () {
  for (const Row &row : rows) {
    Stage stage;
    stage.run(row.script);
    for (int i = 0; i < 3; i++)
      if (stage.ears[i]->heard != row.heard[i])
        g_error("%s: subscriber %d heard \"%s\", not \"%s\"", row.script, i + 1,
                stage.ears[i]->heard.c_str(), row.heard[i]);
  }
}

void test_busy () {
  Hub hub;
  Publisher first, second;
  g_assert_true(hub.publish("voice", first));
  g_assert_false(hub.publish("voice", second));
  g_assert_true(hub.publish("other", second));
  g_assert_true(hub.publisher_of("voice") == &first);
  hub.unpublish(first);
  g_assert_null(hub.publisher_of("voice"));
  hub.unpublish(second);
  g_assert_true(hub.publish("voice", second));
  hub.unpublish(second);
  // Twice does no harm.
  hub.unpublish(second);
}

void test_one_write () {
  Stage stage;
  stage.run("1 P Aaaa; aaa");
  g_assert_cmpuint(stage.ears[0]->writes, ==, 2);
  // Gathered without end is not.
  stage.run(std::string(1000, 'a'));
  g_assert_cmpuint(stage.ears[0]->writes, <=, 3 + 1000 / 64);
  g_assert_cmpuint(stage.ears[0]->heard.size(), ==, 1 + 7 + 1000);
}

// A header comes to a late joiner with the time that the sound has.
void test_times () {
  Stage stage;
  stage.run("P m A a a a 1 a");
  const std::vector<std::uint32_t> expected = {50, 50, 60};
  g_assert_true(stage.ears[0]->times == expected);
}

void test_header_bounds () {
  Hub hub;
  Publisher push;
  Ear ear(1);
  hub.publish("voice", push);
  std::string big = {"\xaf\x00", 2};
  big.resize(60'000);
  auto send = [&] (const std::string &payload) {
    hub.message(
        push,
        {Type::audio, 0, {reinterpret_cast<const std::uint8_t *>(payload.data()), payload.size()}});
  };
  send(big);
  // Too much together: what isn't kept doesn't leave an older one.
  std::string bigger = big;
  bigger.resize(70'000);
  send(bigger);
  hub.play("voice", ear);
  g_assert_true(ear.heard == "(");
  hub.leave(ear);
  // So many tracks.
  for (char track = 0; track < 100; track++)
    send(std::string("\x95\x00Opus", 6) + track + "h");
  hub.play("voice", ear);
  g_assert_cmpuint(ear.heard.size(), ==, 2 + 16);
  hub.leave(ear);
  hub.unpublish(push);
}

void test_many () {
  Hub hub;
  Publisher push;
  std::vector<std::unique_ptr<Ear>> ears;
  hub.publish("voice", push);
  for (std::uint32_t i = 0; i < 300; i++) {
    ears.push_back(std::make_unique<Ear>(1 + i % 3));
    hub.play("voice", *ears.back());
  }
  // They go in no order.
  for (std::size_t i = 0; i < ears.size(); i += 7)
    hub.leave(*ears[i]);
  const auto &[type, payload] = messages.at('a');
  hub.message(push,
              {type, 1, {reinterpret_cast<const std::uint8_t *>(payload.data()), payload.size()}});
  hub.flush(push);
  for (std::size_t i = 0; i < ears.size(); i++)
    g_assert_true(ears[i]->heard == (i % 7 == 0 ? "" : "(a"));
  g_assert_cmpuint(hub.subscribers(), ==, ears.size() - (ears.size() + 6) / 7);
  for (auto &ear : ears)
    hub.leave(*ear);
  hub.unpublish(push);
}

}  // namespace

static const agora::Suite suite("hub", [] {
  g_test_add_func("/hub/table", test_table);
  g_test_add_func("/hub/busy", test_busy);
  g_test_add_func("/hub/one-write", test_one_write);
  g_test_add_func("/hub/times", test_times);
  g_test_add_func("/hub/header-bounds", test_header_bounds);
  g_test_add_func("/hub/many", test_many);
});

}  // namespace hub_test
