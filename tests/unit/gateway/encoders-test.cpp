// SPDX-License-Identifier: LGPL-2.1-or-later
// Stream keys, and the encoders that push by one.
#include "signaling/gateway/channel/stream-keys.hpp"
#include "signaling/support/secret.hpp"
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace encoders_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

constexpr SessionId listener = 1, device = 2, third = 3;
constexpr std::uint64_t first = 100, again = 101, play = 300;

void same (const std::string &is, const std::string &expected) {
  g_assert_cmpstr(is.c_str(), ==, expected.c_str());
}

// A channel book with one key, for uid 8 of the room.
class Encoders : public Scene {
 public:
  explicit Encoders(const Config &config = plain_config()) : Scene(config), key(make()) {}

  std::string make (Uid uid = 8, const std::string &app = open_app,
                    const std::string &channel = "room") {
    const auto made = book.make_stream_key(app, channel, uid, now);
    g_assert_true(made.has_value());
    id = made->id;
    return made->key;
  }
  static std::string url_of (const std::string &key) { return "rtmp://gw.example/live/" + key; }
  // The refusal; "": it is on the air.
  std::string pushed (std::uint64_t client = first) { return pushed_by(key, client); }
  std::string pushed_by (const std::string &which, std::uint64_t client,
                         const std::string &address = "192.0.2.1") {
    HookRequest request = hook(HookCall::publish, url_of(which), client);
    request.address = address;
    const HookAnswer answer = book.on_publish(request, now);
    g_assert_true(answer.allow == answer.reason.empty());
    g_assert_true(answer.allow == !answer.stream.empty());
    take(answer.commands);
    stream = answer.stream;
    owner = answer.owner;
    return answer.reason;
  }
  Commands rule (Rule with) {
    with.app_id = open_app;
    Commands commands = book.add_rule(with, now);
    take(commands);
    return commands;
  }
  void refused (const std::string &why, std::uint64_t client = again) {
    same(pushed(client), why);
    g_assert_false(book.member(open_app, "room", 8).has_value());
  }

  std::string stream;    // what the last push goes by
  HookOwner owner;       // whose it is
  std::uint64_t id = 0;  // of the last key
  const std::string key;
};

void an_encoder_is_a_member () {
  Encoders scene;
  scene.join(listener, "9");
  same(scene.pushed(), "");
  same(scene.told(listener), "added 8");
  same(scene.noticed(), "in, on");
  same(scene.notices().at(0).platform, "rtmp");
  g_assert_true(scene.notices().at(0).role == Role::broadcaster);
  const MemberInfo info = scene.book.member(open_app, "room", 8).value();
  g_assert_true(info.role == Role::broadcaster && info.publishing && !info.in_grace);
  same(info.address, "192.0.2.1");
  g_assert_cmpuint(scene.book.totals().in_grace, ==, 0);
  // Nobody else learns the key, and it doesn't play.
  const std::string url = scene.subscribe(listener, 8);
  g_assert_true(url.find("/live/" + scene.stream + "?") != std::string::npos);
  g_assert_true(url.find(scene.key) == std::string::npos && scene.stream != scene.key);
  g_assert_true(scene.play(url, play));
  g_assert_false(scene.play(Encoders::url_of(scene.key), play + 1));
  g_assert_true(scene.book.stream_keys(open_app).at(0).in_use);
}

void it_leaves_with_its_push () {
  Encoders scene;
  scene.join(listener, "9");
  same(scene.pushed(), "");
  const std::string stream = scene.stream;
  g_assert_true(scene.play(scene.subscribe(listener, 8), play));
  scene.push_ends(first);
  same(scene.told(listener), "");
  // A network that stumbles: those who listen notice nothing.
  scene.pass(2'000);
  same(scene.pushed(again), "");
  same(scene.stream, stream);
  same(scene.told(listener) + scene.noticed() + scene.dropped(), "");
  scene.push_ends(again);
  scene.pass(3'500);
  same(scene.told(listener), "removed 8");
  same(scene.noticed(), "off, out 1");
  same(scene.dropped(), "play 300");
  g_assert_false(scene.book.stream_keys(open_app).at(0).in_use);
  // Later it is another stream.
  same(scene.pushed(first + 5), "");
  same(scene.told(listener), "added 8");
  g_assert_true(scene.stream != stream);
}

void the_newer_one_wins () {
  Encoders scene;
  same(scene.pushed(), "");
  scene.join(listener, "9");
  // By the same key: its place, its listeners.
  same(scene.pushed(again), "");
  same(scene.dropped(), "push 100");
  same(scene.told(listener) + scene.noticed(), "");
  scene.push_ends(first);
  scene.pass(5'000);
  g_assert_true(scene.book.member(open_app, "room", 8)->publishing);
  // By another key of that uid.
  const std::string other = scene.make();
  same(scene.pushed_by(other, first + 5), "");
  same(scene.dropped(), "push 101");
  same(scene.noticed(), "off, out 5, in, on");
  // A device, and the encoder again.
  scene.connect(device);
  g_assert_cmpint(static_cast<int>(scene.code(device, rejoin_as("8", Role::broadcaster, {}))), ==,
                  200);
  same(scene.dropped(), "push 105");
  same(scene.noticed(), "off, out 5, in");
  same(scene.pushed(first + 6), "");
  g_assert_true(scene.close_code(device) == CloseCode::replaced);
  same(scene.noticed(), "out 5, in, on");
}

void rules_hold () {
  Encoders scene;
  Rule out{.channel = "room", .uid = 8, .ends_at = scene.now.wall_s + 60};
  Rule mute = out;
  mute.join_channel = false;
  mute.publish_audio = true;
  Rule address{.address = "192.0.2.1", .ends_at = scene.now.wall_s + 60};
  const std::pair<Rule, const char *> all[] = {
      {out, "banned from the channel by its operator"},
      {mute, "silenced"},
      {address, "banned from the channel by its operator"}};
  std::uint64_t client = first;
  for (auto [rule, why] : all) {
    rule.ends_at = scene.now.wall_s + 60;
    same(scene.pushed(++client), "");
    scene.rule(rule);
    same(scene.dropped(), "push " + std::to_string(client));
    scene.refused(why, ++client);
    // Which encoder that is.
    same(scene.owner.app_id, open_app);
    same(scene.owner.channel, "room");
    g_assert_cmpuint(scene.owner.uid, ==, 8);
    g_assert_cmpuint(scene.owner.key, ==, scene.id);
    scene.pass(61'000);
  }
  // Once, and it may come back.
  for (Rule once : {out, mute}) {
    once.ends_at = 0;
    same(scene.pushed(++client), "");
    scene.rule(once);
    same(scene.dropped(), "push " + std::to_string(client));
    g_assert_false(scene.book.member(open_app, "room", 8).has_value());
  }
  same(scene.pushed(++client), "");
  // An address that is banned is no reason against another one.
  address.ends_at = scene.now.wall_s + 60;
  scene.rule(address);
  same(scene.pushed_by(scene.key, ++client, "198.51.100.1"), "");
}

void limits_hold () {
  Config config = plain_config();
  config.limits.members_per_channel = 1;
  Encoders scene(config);
  scene.join(listener, "9");
  scene.refused("the channel is full");
  same(scene.pushed_by(scene.make(8, open_app, "elsewhere"), first), "");
  // It has room where it is itself.
  same(scene.pushed_by(scene.make(8, open_app, "elsewhere"), again), "");
  // What it tells a channel has its bound.
  Encoders busy;
  for (int i = 0; i < 20; i++)
    same(busy.pushed(first + static_cast<std::uint64_t>(i)), "");
  same(busy.pushed(first + 50), "pushed anew too often, try again in a few seconds");
  busy.pass(1'000);
  same(busy.pushed(first + 51), "");
  same(busy.pushed_by(busy.make(10), first + 51), "the session pushes for another member already");
}

void a_key_that_has_ended () {
  Encoders scene;
  scene.join(listener, "9");
  same(scene.pushed(), "");
  const auto commands = scene.book.end_stream_key(scene.id, scene.now);
  g_assert_true(commands.has_value());
  scene.take(*commands);
  same(scene.told(listener), "removed 8");
  same(scene.dropped(), "push 100");
  scene.refused("neither a push URL nor a stream key of this gateway: mistyped, or ended");
  g_assert_false(scene.book.end_stream_key(scene.id, scene.now).has_value());
  g_assert_cmpuint(scene.book.stream_keys(open_app).size(), ==, 0);
}

void what_is_no_key () {
  Encoders scene;
  std::string other = scene.key;
  other.back() = other.back() == '0' ? '1' : '0';
  std::string upper = scene.key + "A";
  for (const std::string &text :
       {other, upper, std::string(), scene.key + "0", scene.key + "?m=1", scene.key.substr(1)}) {
    const HookRequest request = Scene::hook(HookCall::publish, Encoders::url_of(text), again);
    const HookAnswer answer = scene.book.on_publish(request, scene.now);
    g_assert_false(answer.allow);
    same(answer.owner.app_id, "");
  }
  HookRequest elsewhere = Scene::hook(HookCall::publish, Encoders::url_of(scene.key), again);
  elsewhere.app = "other";
  g_assert_false(scene.book.on_publish(elsewhere, scene.now).allow);
  scene.book.set_apps({{closed_app, certificate}});
  scene.refused("the stream key's app is gone");
}

// The key is the operator's word, in place of a token.
void an_app_with_a_certificate () {
  Encoders scene;
  same(scene.pushed_by(scene.make(8, closed_app), first), "");
  g_assert_true(scene.book.member(closed_app, "room", 8)->publishing);
}

void at_the_end () {
  Encoders scene;
  scene.join(listener, "9");
  same(scene.pushed(), "");
  scene.take(scene.book.media_server_lost(scene.now));
  same(scene.pushed(again), "");
  same(scene.told(listener), "");
  scene.take(scene.book.media_server_lost(scene.now));
  scene.pass(3'500);
  same(scene.noticed(), "off, out 1");
  same(scene.pushed(first), "");
  // It can't be told to go elsewhere: it stays for as long as somebody else does.
  scene.take(scene.book.drain(10'000, scene.now));
  g_assert_false(scene.book.drained());
  scene.ask(listener, Leave{9});
  g_assert_true(scene.book.drained());
  g_assert_true(scene.book.member(open_app, "room", 8)->publishing);
  same(scene.pushed(again), "the gateway is shutting down");
  scene.take(scene.book.close_all(scene.now));
  same(scene.noticed(), "out 4, destroyed");
  same(scene.pushed(again), "the gateway is shutting down");
}

void keys_in_a_file () {
  StreamKeys keys;
  std::uint8_t drawn = 0;
  const Random random = [&drawn] (std::span<std::uint8_t> out) {
    for (std::uint8_t &byte : out)
      byte = ++drawn;
  };
  const std::string channel = "a b/ü%";
  const auto one = keys.make("demo", channel, 4294967295, 1'800'000'000, random).value();
  const auto two = keys.make("demo", "room", 1, 1'800'000'001, random).value();
  same(one.key, "0102030405060708090a0b0c0d0e0f1011121314");
  g_assert_true(keys.end(two.id));
  const std::string text = keys.text();
  g_assert_true(text.find(one.key) == std::string::npos);
  auto read = std::get<StreamKeys>(StreamKeys::parse(text));
  same(read.text(), text);
  const StreamKey *found = read.find(one.key);
  g_assert_true(found && found->id == one.id && found->channel == channel);
  g_assert_true(found->uid == 4294967295 && found->made_at == 1'800'000'000);
  g_assert_null(read.find(two.key));
  // No number comes twice.
  g_assert_cmpuint(read.make("demo", "room", 1, 1'800'000'002, random)->id, ==, 3);

  const std::string digest(64, 'a');
  const std::string good = "1 demo room 8 1800000000 " + digest + "\n";
  g_assert_true(
      std::holds_alternative<StreamKeys>(StreamKeys::parse("agora-stream-keys 1 2\n" + good)));
  for (const std::string &bad :
       {std::string("agora-stream-keys 2 2\n"), std::string("agora-stream-keys 1 x\n"), good,
        "agora-stream-keys 1 1\n" + good, "agora-stream-keys 1 3\n" + good + good,
        "agora-stream-keys 1 3\n" + good + "2 demo room 8 1800000000 " + digest + "\n",
        std::string("agora-stream-keys 1 2\n1 demo room 0 1800000000 ") + digest,
        std::string("agora-stream-keys 1 2\n1 demo ro om 8 1800000000 ") + digest,
        std::string("agora-stream-keys 1 2\n1  room 8 1800000000 ") + digest,
        std::string("agora-stream-keys 1 2\n1 demo room 8 1800000000 ") + digest + "a",
        std::string("agora-stream-keys 1 2\n\n")})
    g_assert_true(std::holds_alternative<std::string>(StreamKeys::parse(bad)));
  while (keys.make("demo", "room", 1, 1, agora::kernel_random)) {
  }
  g_assert_cmpuint(keys.of_app("demo").size(), ==, StreamKeys::most_keys);
}

}  // namespace

static const agora::Suite suite("encoders", [] {
  g_test_add_func("/encoders/member", an_encoder_is_a_member);
  g_test_add_func("/encoders/leaves", it_leaves_with_its_push);
  g_test_add_func("/encoders/newer", the_newer_one_wins);
  g_test_add_func("/encoders/rules", rules_hold);
  g_test_add_func("/encoders/limits", limits_hold);
  g_test_add_func("/encoders/ended", a_key_that_has_ended);
  g_test_add_func("/encoders/no-key", what_is_no_key);
  g_test_add_func("/encoders/certificate", an_app_with_a_certificate);
  g_test_add_func("/encoders/end", at_the_end);
  g_test_add_func("/encoders/file", keys_in_a_file);
});

}  // namespace encoders_test
