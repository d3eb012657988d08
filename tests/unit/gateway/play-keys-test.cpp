// SPDX-License-Identifier: LGPL-2.1-or-later
// Play keys, and the players that play by one.
#include "signaling/gateway/channel/stream-keys.hpp"
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace play_keys_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

constexpr SessionId speaker = 1, listener = 2;
constexpr std::uint64_t push = 100, again = 101, first = 300, second = 301;

void same (const std::string &is, const std::string &expected) {
  g_assert_cmpstr(is.c_str(), ==, expected.c_str());
}

// A channel book with one key, which plays uid 8 of the room.
class Players : public Scene {
 public:
  explicit Players(const Config &config = plain_config()) : Scene(config), key(make()) {}

  std::string make (KeyUse use = KeyUse::play, const std::string &app = open_app, Uid uid = 8) {
    const auto made = book.make_stream_key(app, "room", uid, now, use);
    g_assert_true(made.has_value());
    id = made->id;
    return made->key;
  }
  // The refusal; "": it plays `stream`.
  std::string plays (std::uint64_t client = first) { return plays_by(key, client); }
  std::string plays_by (const std::string &which, std::uint64_t client,
                        const std::string &address = "192.0.2.1") {
    HookRequest request = hook(HookCall::play, "rtmp://gw.example/live/" + which, client);
    request.address = address;
    const HookAnswer answer = book.on_play(request, now);
    g_assert_true(answer.allow == answer.reason.empty());
    g_assert_true(answer.allow == !answer.stream.empty());
    take(answer.commands);
    stream = answer.stream;
    owner = answer.owner;
    return answer.reason;
  }
  // "300 to 0123…" of the last call.
  std::string moved () const {
    std::string text;
    for (const Command &command : last)
      if (const auto *move = std::get_if<MovePlay>(&command))
        text +=
            (text.empty() ? "" : ", ") + std::to_string(move->client_id) + " to " + move->stream;
    return text;
  }
  static std::string name_in (const std::string &url) {
    const std::size_t name = url.rfind('/') + 1;
    return url.substr(name, url.find('?') - name);
  }
  std::string waiting () {
    same(plays(999), "");
    play_ends(999);
    return stream;
  }
  StreamKeyInfo info () { return book.stream_keys(open_app, KeyUse::play).at(0); }

  std::string stream;
  HookOwner owner;  // whose the last play is
  std::uint64_t id = 0;
  const std::string key;
};

void it_hears_who_speaks () {
  Players scene;
  const std::string url = scene.on_air(speaker, 8, push);
  same(scene.plays(), "");
  same(scene.stream, Players::name_in(url));
  same(scene.plays(second), "");
  g_assert_cmpuint(scene.info().players, ==, 2);
  scene.play_ends(first);
  scene.play_ends(second);
  g_assert_cmpuint(scene.info().players, ==, 0);
  // It is nobody in the channel, and it pushes nothing.
  g_assert_cmpuint(scene.book.members(open_app, "room")->size(), ==, 1);
  g_assert_false(scene.push("rtmp://gw.example/live/" + scene.key, again));
  g_assert_cmpuint(scene.book.stream_keys(open_app).size(), ==, 0);
}

void it_waits_and_goes_on () {
  Players scene;
  same(scene.plays(), "");
  const std::string waits = scene.stream;
  g_assert_cmpuint(waits.size(), ==, 32);
  // The name that it waits by isn't its key, and nobody pushes it.
  g_assert_true(waits != scene.key);
  g_assert_false(scene.push("rtmp://gw.example/live/" + waits, again));
  scene.join(speaker, "8", Role::broadcaster);
  const std::string url = scene.publish(speaker, 8);
  same(scene.moved(), "");
  g_assert_true(scene.push(url, push));
  same(scene.moved(), "300 to " + Players::name_in(url));
  same(scene.dropped(), "");
  // A network that stumbles is no end.
  scene.push_ends(push);
  same(scene.moved(), "");
  g_assert_true(scene.push(url, again));
  same(scene.moved(), "");
  // Gone, and back: by another name.
  scene.ask(speaker, Unpublish{8});
  same(scene.moved(), "300 to " + waits);
  same(scene.dropped(), "push 101");
  const std::string next = scene.publish(speaker, 8);
  g_assert_true(scene.push(next, again + 1));
  same(scene.moved(), "300 to " + Players::name_in(next));
  // A new URL while it speaks.
  const std::string later = scene.publish(speaker, 8);
  g_assert_true(scene.push(later, again + 2));
  same(scene.moved(), "300 to " + Players::name_in(later));
  scene.ask(speaker, Leave{8});
  same(scene.moved(), "300 to " + waits);
}

// Another uid, another channel, and the players that left, are none of its business.
void only_its_own () {
  Players scene;
  same(scene.plays(), "");
  const std::string other = scene.make(KeyUse::play, open_app, 9);
  same(scene.plays_by(other, second), "");
  scene.on_air(speaker, 9, push);
  g_assert_true(scene.moved().starts_with("301 to "));
  scene.play_ends(second);
  scene.ask(speaker, Leave{9});
  same(scene.moved(), "");
}

// Many listeners are cut by the name of their stream: it is no longer theirs by then.
void it_outlasts_its_stream () {
  Players scene;
  const std::string url = scene.on_air(speaker, 8, push);
  same(scene.plays(), "");
  for (SessionId each = 10; each < 60; each++) {
    scene.join(each, std::to_string(each));
    g_assert_true(scene.play(scene.subscribe(each, 8), 1000 + each));
  }
  scene.pass(3'000);
  scene.ask(speaker, Unpublish{8});
  g_assert_false(scene.moved().empty());
  bool has_moved = false;
  for (const Command &command : scene.last) {
    has_moved |= std::holds_alternative<MovePlay>(command);
    if (const auto *drop = std::get_if<DropMedia>(&command);
        drop && drop->direction == Direction::play)
      g_assert_true(has_moved);
  }
}

// Decoders have AAC: who can send several codecs is told that this one is wanted.
void it_wants_aac () {
  Players scene;
  scene.connect(speaker);
  Join join = join_as("8", Role::broadcaster);
  join.features = Features{feature_codecs};
  g_assert_cmpint(static_cast<int>(scene.code(speaker, join)), ==, 200);
  const Answer answer = scene.ask(speaker, Publish{8, Codecs{Codec::opus, Codec::aac}});
  g_assert_true(scene.push(answer.urls.at(0).second, push));
  Join ears = join_as("9");
  ears.features = Features{feature_codecs};
  ears.hears = Codecs{Codec::opus, Codec::aac};
  scene.connect(listener);
  g_assert_cmpint(static_cast<int>(scene.code(listener, ears)), ==, 200);
  scene.subscribe(listener, 8);
  scene.pass(20'000);
  same(scene.plays(), "");
  scene.take(scene.book.tick(scene.now));
  same(scene.told(speaker), "wanted opus aac");
  scene.play_ends(first);
  scene.pass(60'000);
  same(scene.told(speaker), "wanted opus");
}

void an_ended_key () {
  Players scene;
  scene.on_air(speaker, 8, push);
  same(scene.plays(), "");
  same(scene.plays(second), "");
  scene.take(scene.book.end_stream_key(scene.id, scene.now).value());
  same(scene.dropped(), "play 300, play 301");
  g_assert_true(scene.book.member(open_app, "room", 8)->publishing);
  same(scene.plays(), "neither a play URL nor a play key of this gateway: mistyped, or ended");
  same(scene.owner.app_id, "");
  // What is told of them later is of nobody.
  scene.play_ends(first);
  scene.ask(speaker, Leave{8});
  same(scene.moved(), "");
}

void who_may_not () {
  Players scene;
  Rule out{.address = "192.0.2.1", .ends_at = scene.now.wall_s + 60};
  out.app_id = open_app;
  scene.take(scene.book.add_rule(out, scene.now));
  same(scene.plays(), "banned from the channel by its operator");
  same(scene.owner.app_id, open_app);
  same(scene.owner.channel, "room");
  g_assert_cmpuint(scene.owner.uid, ==, 8);
  g_assert_cmpuint(scene.owner.key, ==, scene.id);
  same(scene.plays_by(scene.key, first, "198.51.100.1"), "");
  same(scene.plays_by(scene.key, first, "198.51.100.1"),
       "the session plays another stream already");
  // A push key plays nothing.
  const std::string pushes = scene.make(KeyUse::push);
  same(scene.plays_by(pushes, second, "198.51.100.1"),
       "neither a play URL nor a play key of this gateway: mistyped, or ended");
  for (std::uint64_t client = 400; client < 400 + 255; client++)
    same(scene.plays_by(scene.key, client, "198.51.100.1"), "");
  same(scene.plays_by(scene.key, second, "198.51.100.1"), "too many play by this key");
  scene.book.set_apps({{closed_app, certificate}});
  same(scene.plays_by(scene.key, second, "198.51.100.1"), "the play key's app is gone");
}

// A rule that comes while they play: for the channel's door, by address or for all of it; not one
// for a uid, which they don't have, nor one that silences.
void a_rule_ends_players () {
  Players scene;
  scene.on_air(speaker, 8, push);
  same(scene.plays(), "");
  same(scene.plays_by(scene.key, second, "198.51.100.1"), "");
  Rule rule{.address = "192.0.2.1", .ends_at = scene.now.wall_s + 60};
  rule.app_id = open_app;
  Rule silence = rule;
  silence.join_channel = false;
  silence.publish_audio = true;
  scene.take(scene.book.add_rule(silence, scene.now));
  Rule other = rule;
  other.address.clear();
  other.uid = 77;
  scene.take(scene.book.add_rule(other, scene.now));
  Rule elsewhere = rule;
  elsewhere.channel = "another";
  scene.take(scene.book.add_rule(elsewhere, scene.now));
  g_assert_cmpuint(scene.info().players, ==, 2);
  scene.take(scene.book.add_rule(rule, scene.now));
  same(scene.dropped(), "play 300");
  g_assert_cmpuint(scene.info().players, ==, 1);
  same(scene.plays(), "banned from the channel by its operator");
  // Once, for all of the channel: they may come back.
  Rule once{.channel = "room", .ends_at = scene.now.wall_s};
  once.app_id = open_app;
  scene.take(scene.book.add_rule(once, scene.now));
  g_assert_true(scene.dropped().find("play 301") != std::string::npos);
  same(scene.plays_by(scene.key, second, "198.51.100.1"), "");
}

// A speaker who is banned is gone for the player as for all.
void not_what_is_for_a_few () {
  Players scene;
  scene.join(listener, "9");
  scene.connect(speaker);
  Join join = join_as("8", Role::broadcaster);
  join.features = Features{feature_talk};
  scene.ask(speaker, join);
  const auto address = [&] (Addressees to) {
    return scene.ask(speaker, Publish{8, {}, std::move(to)}).url.value();
  };
  g_assert_true(scene.push(address({9}), push));
  const std::string waits = scene.waiting();
  same(scene.plays(), "");
  same(scene.stream, waits);
  // To all, and to a few again.
  const std::string url = address({});
  g_assert_true(scene.push(url, again));
  same(scene.moved(), "300 to " + Players::name_in(url));
  const std::string few = address({9});
  g_assert_true(scene.push(few, 102));
  same(scene.moved(), "300 to " + waits);
}

void rules_on_the_speaker () {
  Players scene;
  const std::string waits = scene.waiting();
  scene.on_air(speaker, 8, push);
  same(scene.plays(), "");
  Rule mute{.channel = "room", .uid = 8, .ends_at = scene.now.wall_s + 60};
  mute.app_id = open_app;
  mute.join_channel = false;
  mute.publish_audio = true;
  scene.take(scene.book.add_rule(mute, scene.now));
  same(scene.moved(), "300 to " + waits);
}

void the_media_server_ends () {
  Players scene;
  same(scene.plays(), "");
  scene.take(scene.book.media_server_lost(scene.now));
  g_assert_cmpuint(scene.info().players, ==, 0);
  same(scene.plays(), "");
  scene.pass(5'000);
  // Its own list doesn't have it.
  scene.take(scene.book.media_sessions({}, scene.now.mono_ms, scene.now));
  g_assert_cmpuint(scene.info().players, ==, 0);
}

void keys_in_a_file () {
  StreamKeys keys;
  std::uint8_t drawn = 0;
  const Random random = [&drawn] (std::span<std::uint8_t> out) {
    for (std::uint8_t &byte : out)
      byte = ++drawn;
  };
  const auto plays = keys.make("demo", "room", 8, 1'800'000'000, random, KeyUse::play).value();
  const auto pushes = keys.make("demo", "room", 8, 1'800'000'000, random).value();
  auto read = std::get<StreamKeys>(StreamKeys::parse(keys.text()));
  same(read.text(), keys.text());
  g_assert_nonnull(read.find(plays.key, KeyUse::play));
  g_assert_null(read.find(plays.key));
  g_assert_null(read.find(pushes.key, KeyUse::play));
  const std::string line =
      "agora-stream-keys 1 2\n1 demo room 8 1800000000 " + std::string(64, 'a');
  for (const char *end : {" ", " push", " play ", " play play", "play"})
    g_assert_true(std::holds_alternative<std::string>(StreamKeys::parse(line + end + "\n")));
}

}  // namespace

static const agora::Suite suite("play-keys", [] {
  g_test_add_func("/play-keys/hears", it_hears_who_speaks);
  g_test_add_func("/play-keys/waits", it_waits_and_goes_on);
  g_test_add_func("/play-keys/own", only_its_own);
  g_test_add_func("/play-keys/outlasts", it_outlasts_its_stream);
  g_test_add_func("/play-keys/aac", it_wants_aac);
  g_test_add_func("/play-keys/ended", an_ended_key);
  g_test_add_func("/play-keys/may-not", who_may_not);
  g_test_add_func("/play-keys/rule-ends", a_rule_ends_players);
  g_test_add_func("/play-keys/few", not_what_is_for_a_few);
  g_test_add_func("/play-keys/rules", rules_on_the_speaker);
  g_test_add_func("/play-keys/server", the_media_server_ends);
  g_test_add_func("/play-keys/file", keys_in_a_file);
});

}  // namespace play_keys_test
