// SPDX-License-Identifier: LGPL-2.1-or-later
// Play keys of a channel's mix: who may play by one, and when agora-web is to push it.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace feeds_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

constexpr SessionId speaker = 1, mix = 3, browser = 4;
constexpr std::uint64_t push = 100, again = 101, first = 300, second = 301;
constexpr const char *no_key =
    "neither a play URL nor a play key of this gateway: mistyped, or ended";

void same (const std::string &is, const std::string &expected) {
  g_assert_cmpstr(is.c_str(), ==, expected.c_str());
}

Config with_web () {
  Config config = plain_config();
  config.rtmp_host = "voice.example";
  config.near_scheme = "rtmp";
  config.near_host = "127.0.0.1";
  config.near_port = 1935;
  config.makes_mixes = true;
  return config;
}

// A channel book with one key, which plays the mix of the room.
class Mixes : public Scene {
 public:
  explicit Mixes(const Config &config = with_web()) : Scene(config), key(make()) {}

  std::string make (const std::string &channel = "room", Uid uid = 0) {
    const auto made = book.make_stream_key(open_app, channel, uid, now, KeyUse::play);
    g_assert_true(made.has_value());
    id = made->id;
    return made->key;
  }
  // The refusal; "": it plays `stream`.
  std::string plays (std::uint64_t client = first) { return plays_by(key, client); }
  std::string plays_by (const std::string &which, std::uint64_t client,
                        const std::string &app = "mix") {
    const HookAnswer answer =
        book.on_play(hook(HookCall::play, "rtmp://gw.example/" + app + "/" + which, client), now);
    g_assert_true(answer.allow == answer.reason.empty());
    g_assert_true(answer.allow == !answer.stream.empty());
    take(answer.commands);
    stream = answer.stream;
    return answer.reason;
  }
  // "begin room, end" of the last call; the URL is kept.
  std::string ordered () {
    std::string text;
    for (const Command &command : last)
      if (const auto *order = std::get_if<OrderFeed>(&command)) {
        text += text.empty() ? "" : ", ";
        text += order->url.empty() ? "end" : "begin " + order->channel;
        if (!order->url.empty())
          url = order->url;
      }
    return text;
  }
  Code mix_in (SessionId session = mix) {
    connect(session, "", "127.0.0.1", Entrance::mix);
    Join join = join_as("");
    join.token = "";
    return code(session, join);
  }
  std::size_t players () { return book.stream_keys(open_app, KeyUse::play).at(0).players; }

  std::string stream;
  std::string url;
  std::uint64_t id = 0;
  const std::string key;
};

void ok (Code code) {
  g_assert_cmpint(static_cast<int>(code), ==, 200);
}

void it_is_ordered_once () {
  Mixes scene;
  same(scene.plays(), "");
  same(scene.ordered(), "begin room");
  const std::string stream = scene.stream;
  // By this machine's own way, and by no name that a player shows.
  g_assert_true(scene.url.starts_with("rtmp://127.0.0.1:1935/live/" + stream + "?"));
  g_assert_true(stream != scene.key);
  // However many players and keys.
  same(scene.plays(second), "");
  same(scene.ordered(), "");
  same(scene.stream, stream);
  g_assert_cmpuint(scene.players(), ==, 2);
  same(scene.plays_by(scene.make(), 302), "");
  same(scene.ordered(), "");
  same(scene.stream, stream);
  same(scene.plays_by(scene.make("hall"), 303), "");
  same(scene.ordered(), "begin hall");
  g_assert_true(scene.stream != stream);
  // They are nobody in the channel.
  g_assert_cmpuint(scene.book.channels(open_app).size(), ==, 0);
}

void it_ends_a_while_after_the_last () {
  Mixes scene;
  same(scene.plays(), "");
  same(scene.ordered(), "begin room");
  same(scene.plays(second), "");
  const std::string url = scene.url;
  g_assert_true(scene.push(url, push));
  scene.play_ends(first);
  scene.pass(60'000);
  same(scene.ordered(), "");
  scene.play_ends(second);
  same(scene.ordered(), "");
  // A decoder that comes again finds it.
  scene.pass(9'000);
  same(scene.plays(), "");
  scene.pass(60'000);
  same(scene.ordered(), "");
  scene.play_ends(first);
  scene.pass(11'000);
  same(scene.ordered(), "end");
  same(scene.dropped(), "push 100");
  // That was all of it.
  g_assert_false(scene.push(url, again));
  const std::string before = scene.stream;
  same(scene.plays(), "");
  same(scene.ordered(), "begin room");
  g_assert_true(scene.stream != before);
}

void nobody_else_pushes_it () {
  Mixes scene;
  same(scene.plays(), "");
  scene.ordered();
  for (const std::string &bad :
       {"rtmp://gw.example/mix/" + scene.key, "rtmp://gw.example/live/" + scene.key,
        "rtmp://gw.example/live/" + scene.stream, "rtmp://gw.example/mix/" + scene.stream,
        scene.url + "0", std::string(scene.url).replace(scene.url.find("m="), 3, "m=f")})
    g_assert_false(scene.push(bad, again));
  // Nor does a member by its own URL, nor by this one beside it.
  const std::string own = scene.on_air(speaker, 8, again);
  g_assert_false(
      scene.push("rtmp://gw.example/live/" + scene.stream + own.substr(own.find('?')), 102));
  g_assert_false(scene.push(scene.url, again));
  // That of another channel isn't for this one.
  const std::string url = scene.url;
  same(scene.plays_by(scene.make("hall"), second), "");
  same(scene.ordered(), "begin hall");
  const std::string args = scene.url.substr(scene.url.find('?'));
  g_assert_false(scene.push(url.substr(0, url.find('?')) + args, 103));
  g_assert_true(scene.push(url, 103));
  // It isn't played by its name.
  same(scene.plays_by(scene.stream, 400), no_key);
  same(scene.plays_by(scene.stream, 400, "live"), no_key);
}

// The worker begins anew: what it pushed before is over, also where its end isn't known yet.
void the_newer_push_wins () {
  Mixes scene;
  same(scene.plays(), "");
  scene.ordered();
  g_assert_true(scene.push(scene.url, push));
  same(scene.dropped(), "");
  g_assert_true(scene.push(scene.url, again));
  same(scene.dropped(), "push 100");
  scene.push_ends(push);
  // A feed outlasts what its URL says.
  scene.now.wall_s += 90 * 86'400;
  scene.push_ends(again);
  g_assert_true(scene.push(scene.url, 102));
  same(scene.dropped(), "");
  // The media server ends, and with it all sessions.
  scene.take(scene.book.media_server_lost(scene.now));
  g_assert_cmpuint(scene.players(), ==, 0);
  same(scene.plays(), "");
  same(scene.ordered(), "");
  g_assert_true(scene.push(scene.url, 103));
  same(scene.dropped(), "");
  // Nor is a worker that comes again and again let in without end.
  unsigned taken = 0;
  while (scene.push(scene.url, 1000 + taken))
    g_assert_cmpuint(++taken, <, 30);
}

void its_ears_are_let_in () {
  Mixes scene;
  g_assert_cmpint(static_cast<int>(scene.mix_in(20)), ==, 433);
  same(scene.plays(), "");
  ok(scene.mix_in());
  // Nobody is there but it; and it hears who comes.
  g_assert_cmpuint(scene.book.totals().channels, ==, 0);
  scene.on_air(speaker, 8, push);
  same(scene.told(mix), "added 8");
  g_assert_true(scene.subscribe(mix, 8).starts_with("rtmp://127.0.0.1:1935/live/"));
  scene.ask(speaker, Leave{8});
  same(scene.told(mix), "removed 8");
  scene.pass(30'000);
  g_assert_true(scene.book.joined(mix));
  scene.play_ends(first);
  scene.pass(11'000);
  same(scene.ordered(), "end");
  scene.pass(11'000);
  g_assert_false(scene.book.joined(mix));
  g_assert_cmpint(static_cast<int>(scene.mix_in(21)), ==, 433);
}

// Browsers and players need it, either.
void ears_of_both () {
  Mixes scene;
  scene.connect(browser, "198.51.100.7", "127.0.0.1", Entrance::web);
  ok(scene.code(browser, join_as("10")));
  same(scene.plays(), "");
  ok(scene.mix_in());
  scene.play_ends(first);
  scene.pass(30'000);
  g_assert_true(scene.book.joined(mix));
  same(scene.plays(), "");
  scene.ask(browser, Leave{10});
  scene.pass(30'000);
  g_assert_true(scene.book.joined(mix));
  scene.play_ends(first);
  scene.pass(30'000);
  g_assert_false(scene.book.joined(mix));
}

void each_key_by_its_own_path () {
  Mixes scene;
  same(scene.plays_by(scene.key, first, "live"),
       "the key plays a channel's mix: expected /mix/KEY");
  const std::string one = scene.make("room", 8);
  same(scene.plays_by(one, first), "the key plays one speaker: expected /live/KEY");
  same(scene.plays_by(one, first, "live"), "");
  same(scene.ordered(), "");
  same(scene.plays_by(scene.key, first), "the session plays another stream already");
  same(scene.plays_by(std::string(40, 'a'), second), no_key);
  same(scene.plays_by(scene.key, second, "other"), no_key);
  same(scene.plays_by(scene.key + "?x=1", second), no_key);
}

void an_ended_key () {
  Mixes scene;
  same(scene.plays(), "");
  scene.take(scene.book.end_stream_key(scene.id, scene.now).value());
  same(scene.dropped(), "play 300");
  same(scene.plays(), no_key);
  scene.pass(11'000);
  same(scene.ordered(), "end");
}

void a_rule_ends_players () {
  Mixes scene;
  same(scene.plays(), "");
  Rule rule{.channel = "room", .ends_at = scene.now.wall_s + 60};
  rule.app_id = open_app;
  scene.take(scene.book.add_rule(rule, scene.now));
  same(scene.dropped(), "play 300");
  same(scene.plays(), "banned from the channel by its operator");
  scene.pass(11'000);
  same(scene.ordered(), "end");
  scene.pass(60'000);
  same(scene.plays(), "");
}

void as_many_as_may_be () {
  Mixes scene;
  for (std::size_t i = 0; i < Feeds::most_feeds; i++)
    same(scene.plays_by(scene.make("hall-" + std::to_string(i)), 1000 + i), "");
  same(scene.plays(), "the mixes of too many channels are played");
  g_assert_cmpuint(scene.players(), ==, 0);
  scene.play_ends(1000);
  scene.pass(11'000);
  same(scene.plays(), "");
  for (std::uint64_t client = 400; client < 400 + 255; client++)
    same(scene.plays(client), "");
  same(scene.plays(second), "too many play by this key");
}

void without_agora_web () {
  Mixes scene(plain_config());
  g_assert_false(scene.book.makes_mixes());
  same(scene.plays(), "mixes are made by agora-web: start the gateway with --web");
  same(scene.ordered(), "");
}

// Nobody waits for what only hears.
void a_gateway_that_drains () {
  Mixes scene;
  same(scene.plays(), "");
  ok(scene.mix_in());
  scene.join(speaker, "8");
  scene.take(scene.book.drain(10'000, scene.now));
  g_assert_false(scene.book.drained());
  scene.ask(speaker, Leave{8});
  g_assert_true(scene.book.drained());
  same(scene.plays(second), "the gateway is shutting down");
  scene.take(scene.book.close_all(scene.now));
  scene.play_ends(first);
  same(scene.ordered(), "");
}

void what_the_operator_sees () {
  Mixes scene;
  same(scene.plays(), "");
  scene.ordered();
  g_assert_true(scene.push(scene.url, push));
  const auto named = scene.book.channel_of_stream(scene.stream);
  g_assert_true(named == ChannelName({open_app, "room"}));
  scene.join(speaker, "8");
  const auto figures = scene.book.channel_figures(10, scene.now).named.at(0);
  g_assert_cmpuint(figures.pushes, ==, 1);
  g_assert_cmpuint(figures.plays, ==, 1);
  g_assert_cmpuint(figures.members, ==, 1);
  const auto keys = scene.book.stream_keys(open_app, KeyUse::play);
  g_assert_cmpuint(keys.at(0).uid, ==, 0);
  same(scene.book.media_server("gw.example", true), "rtmp://voice.example:1935/mix");
  same(scene.book.media_server("gw.example"), "rtmp://voice.example:1935/live");
}

void keys_in_a_file () {
  Mixes scene;
  scene.make("room", 8);
  const std::string text = scene.book.stream_keys_text();
  auto read = std::get<StreamKeys>(StreamKeys::parse(text));
  same(read.text(), text);
  g_assert_nonnull(read.find(scene.key, KeyUse::play));
  const std::string digest(64, 'a');
  const auto parses = [&] (const std::string &uid, const std::string &end) {
    return std::holds_alternative<StreamKeys>(StreamKeys::parse(
        "agora-stream-keys 1 2\n1 demo room " + uid + " 1800000000 " + digest + end + "\n"));
  };
  g_assert_true(parses("0", " play"));
  g_assert_true(parses("8", " play"));
  g_assert_false(parses("0", ""));
  g_assert_false(parses("00", " play"));
  g_assert_false(parses("-1", " play"));
  g_assert_false(parses("", " play"));
}

}  // namespace

static const agora::Suite suite("feeds", [] {
  g_test_add_func("/feeds/once", it_is_ordered_once);
  g_test_add_func("/feeds/ends", it_ends_a_while_after_the_last);
  g_test_add_func("/feeds/strangers", nobody_else_pushes_it);
  g_test_add_func("/feeds/newer", the_newer_push_wins);
  g_test_add_func("/feeds/ears", its_ears_are_let_in);
  g_test_add_func("/feeds/ears-of-both", ears_of_both);
  g_test_add_func("/feeds/path", each_key_by_its_own_path);
  g_test_add_func("/feeds/ended", an_ended_key);
  g_test_add_func("/feeds/rule-ends", a_rule_ends_players);
  g_test_add_func("/feeds/bound", as_many_as_may_be);
  g_test_add_func("/feeds/no-web", without_agora_web);
  g_test_add_func("/feeds/drain", a_gateway_that_drains);
  g_test_add_func("/feeds/figures", what_the_operator_sees);
  g_test_add_func("/feeds/file", keys_in_a_file);
});

}  // namespace feeds_test
