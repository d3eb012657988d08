// SPDX-License-Identifier: LGPL-2.1-or-later
// Browsers' members, and the mixes of agora-web that nobody sees.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace mix_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

constexpr SessionId browser = 1, speaker = 2, mix = 3, other = 4;
constexpr std::uint64_t push = 200, play = 300;

void same (const std::string &is, const char *expected) {
  g_assert_cmpstr(is.c_str(), ==, expected);
}

Config near_config () {
  Config config = plain_config();
  config.rtmp_host = "voice.example";
  config.rtmp_scheme = "rtmps";
  config.rtmp_port = 443;
  config.near_scheme = "rtmp";
  config.near_host = "127.0.0.1";
  config.near_port = 1935;
  return config;
}

void browser_in (Scene &scene, SessionId id = browser, const std::string &uid = "10",
                 const std::string &address = "198.51.100.7") {
  scene.connect(id, address, "127.0.0.1", Entrance::web);
  Join join = join_as(uid);
  join.client_type = "linux";
  g_assert_cmpint(static_cast<int>(scene.code(id, join)), ==, 200);
}

Code mix_in (Scene &scene, SessionId id = mix, const std::string &app = open_app) {
  scene.connect(id, "", "127.0.0.1", Entrance::mix);
  Join join = join_as("");
  join.app_id = app;
  join.token = "";
  return scene.code(id, join);
}

void a_browser_is_a_member_like_others () {
  Scene scene(near_config());
  browser_in(scene);
  same(scene.noticed(), "created, in");
  same(scene.notices().back().platform, "web");
  const MemberInfo info = scene.book.member(open_app, "room", 10).value();
  same(info.platform, "web");
  same(info.address, "198.51.100.7");
  // Its media comes from this machine, whatever others are told.
  scene.on_air(speaker, 20, push);
  g_assert_true(scene.subscribe(browser, 20).starts_with("rtmp://127.0.0.1:1935/live/"));
  scene.join(other, "30");
  g_assert_true(scene.subscribe(other, 20).starts_with("rtmps://voice.example:443/live/"));
}

void limits_and_bans_go_by_the_browsers_address () {
  Config config = near_config();
  config.limits.sockets_per_address = 2;
  Scene scene(config);
  for (SessionId id : {11, 12})
    browser_in(scene, id, std::to_string(id));
  scene.connect(13, "198.51.100.7", "127.0.0.1", Entrance::web);
  g_assert_true(scene.close_code(13) == CloseCode::try_later);
  browser_in(scene, 14, "14", "198.51.100.8");

  Rule rule;
  rule.app_id = open_app;
  rule.address = "198.51.100.8";
  rule.ends_at = scene.now.wall_s + 60;
  const Commands commands = scene.book.add_rule(rule, scene.now);
  g_assert_false(scene.book.joined(14));
  g_assert_true(scene.book.joined(11));
  g_assert_cmpuint(commands.size(), >, 0);
}

void a_mix_hears_and_is_not_seen () {
  Scene scene(near_config());
  browser_in(scene);
  const auto before = scene.book.totals();
  g_assert_cmpint(static_cast<int>(mix_in(scene)), ==, 200);
  same(scene.noticed(), "");
  scene.on_air(speaker, 20, push);
  same(scene.told(mix), "added 20");
  const std::string url = scene.subscribe(mix, 20);
  g_assert_true(url.starts_with("rtmp://127.0.0.1:1935/"));
  g_assert_true(scene.play(url, play));
  scene.ask(speaker, MuteLocal{20, Target::audio, true});
  same(scene.told(mix), "audio 20 muted");

  const auto totals = scene.book.totals();
  g_assert_cmpuint(totals.members, ==, before.members + 1);
  g_assert_cmpuint(totals.joins.at(200), ==, before.joins.at(200) + 1);
  g_assert_cmpuint(totals.channels, ==, 1);
  g_assert_cmpuint(scene.book.channels(open_app).at(0).audience, ==, 1);
  g_assert_cmpuint(scene.book.members(open_app, "room").value().size(), ==, 2);
  // Nor does it speak.
  g_assert_cmpint(static_cast<int>(scene.code(mix, SetRole{Role::broadcaster})), ==, 433);
  g_assert_cmpint(static_cast<int>(scene.code(mix, Publish{0})), !=, 200);
  scene.disconnect(mix);
  same(scene.noticed(), "");
  same(scene.dropped(), "play 300");
  g_assert_cmpuint(scene.book.totals().in_grace, ==, 0);
}

void it_needs_no_token_but_a_browser () {
  Scene scene(near_config());
  // Nobody is there; or only members that came otherwise.
  g_assert_cmpint(static_cast<int>(mix_in(scene, 21)), ==, 433);
  scene.join(other, "30");
  g_assert_cmpint(static_cast<int>(mix_in(scene, 22)), ==, 433);
  g_assert_cmpint(static_cast<int>(mix_in(scene, 23, "nobody's")), ==, 101);
  browser_in(scene);
  g_assert_cmpint(static_cast<int>(mix_in(scene, 24)), ==, 200);
  scene.connect(25, "", "", Entrance::mix);
  g_assert_cmpint(static_cast<int>(scene.code(25, join_as("", Role::broadcaster))), ==, 433);
  // An app with a certificate asks its members for a token, and a mix for none.
  scene.connect(26, "198.51.100.7", "", Entrance::web);
  Join join = join_as("7");
  join.app_id = closed_app;
  g_assert_cmpint(static_cast<int>(scene.code(26, join)), ==, 110);
  g_assert_cmpint(static_cast<int>(mix_in(scene, 27, closed_app)), ==, 433);
}

void it_goes_when_the_browsers_are_gone () {
  Scene scene(near_config());
  browser_in(scene);
  mix_in(scene);
  scene.ask(browser, Leave{10});
  same(scene.noticed(), "out 1, destroyed");
  g_assert_false(scene.book.members(open_app, "room").has_value());
  g_assert_cmpuint(scene.book.totals().channels, ==, 0);
  g_assert_cmpuint(scene.book.channels(open_app).size(), ==, 0);
  // The next one finds it in its place.
  scene.pass(5000);
  g_assert_cmpint(static_cast<int>(scene.code(browser, join_as("10"))), ==, 200);
  same(scene.noticed(), "created, in");
  scene.pass(20'000);
  g_assert_true(scene.book.joined(mix));
  scene.ask(browser, Leave{10});
  scene.pass(11'000);
  g_assert_true(scene.close_code(mix) == CloseCode::normal);
  g_assert_false(scene.book.joined(mix));
}

void mixes_count_for_no_limit () {
  Config config = near_config();
  config.limits.members_per_channel = 1;
  config.limits.channels_per_app = 1;
  config.limits.sockets_per_address = 1;
  config.limits.members = 2;
  Scene scene(config);
  browser_in(scene);
  for (SessionId id = 100; id < 228; id++)
    g_assert_cmpint(static_cast<int>(mix_in(scene, id)), ==, 200);
  // But they are bounded.
  g_assert_cmpint(static_cast<int>(mix_in(scene, 300)), ==, 429);
  // The channel that is left to mixes is none that counts.
  scene.disconnect(browser);
  scene.pass(10'000);
  scene.connect(5, "192.0.2.9");
  g_assert_cmpint(static_cast<int>(scene.code(5, join_as("1", Role::audience, "elsewhere"))), ==,
                  200);
}

void it_is_told_when_the_gateway_ends () {
  Scene scene(near_config());
  browser_in(scene);
  mix_in(scene);
  const Commands commands = scene.book.close_all(scene.now);
  std::size_t notices = 0;
  std::size_t closes = 0;
  for (const Command &command : commands) {
    notices += std::holds_alternative<Notice>(command) ? 1 : 0;
    closes += std::holds_alternative<Close>(command) ? 1 : 0;
  }
  g_assert_cmpuint(notices, ==, 2);
  g_assert_cmpuint(closes, ==, 2);
}

void no_rule_hits_a_mix () {
  Scene scene(near_config());
  browser_in(scene);
  mix_in(scene);
  Rule rule;
  rule.app_id = open_app;
  rule.channel = "room";
  rule.join_channel = false;
  rule.publish_audio = true;
  rule.ends_at = scene.now.wall_s + 60;
  scene.book.add_rule(rule, scene.now);
  g_assert_true(scene.book.joined(mix));
  rule.join_channel = true;
  scene.book.add_rule(rule, scene.now);
  g_assert_false(scene.book.joined(browser));
  g_assert_true(scene.book.joined(mix));
}

}  // namespace

static const agora::Suite suite("mix", [] {
  g_test_add_func("/mix/browser", a_browser_is_a_member_like_others);
  g_test_add_func("/mix/address", limits_and_bans_go_by_the_browsers_address);
  g_test_add_func("/mix/hears", a_mix_hears_and_is_not_seen);
  g_test_add_func("/mix/token", it_needs_no_token_but_a_browser);
  g_test_add_func("/mix/gone", it_goes_when_the_browsers_are_gone);
  g_test_add_func("/mix/limits", mixes_count_for_no_limit);
  g_test_add_func("/mix/end", it_is_told_when_the_gateway_ends);
  g_test_add_func("/mix/rules", no_rule_hits_a_mix);
});

}  // namespace mix_test
