// SPDX-License-Identifier: LGPL-2.1-or-later
// Members: how they come, are told of each other, are replaced, get lost, and go.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace channel_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

void newcomers_learn_who_speaks () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.on_air(2, 20, 200);
  scene.ask(2, MuteLocal{20, Target::all, true});
  scene.connect(3);
  const Answer answer = scene.ask(3, join_as("30"));
  g_assert_cmpuint(answer.uid.value(), ==, 30);
  g_assert_true(scene.told(3) == "added 10, added 20, audio 20 muted, video 20 muted");
  // The answer comes before the events.
  g_assert_true(std::holds_alternative<Answer>(scene.sends()[0].message));
  // Nobody is told of a listener.
  g_assert_true(scene.told(1).empty() && scene.told(2).empty());
  g_assert_true(scene.noticed() == "in");
}

void rejoin_tells_the_difference () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.join(2, "20", Role::broadcaster);
  scene.connect(3);
  scene.ask(3, rejoin_as("30", Role::audience, {10, 20, 77, 77, 30}));
  // 20 is a member, but doesn't speak; 30 is oneself; 77 is unknown and asked for twice.
  g_assert_true(scene.told(3) == "added 10, removed 20, removed 77");
}

void channels_and_apps_are_apart () {
  Config config = plain_config();
  config.apps["other"] = "";
  Scene scene(config);
  scene.on_air(1, 10, 100);
  scene.connect(2);
  scene.ask(2, join_as("10", Role::broadcaster, "other room"));
  g_assert_true(scene.told(2).empty() && scene.told(1).empty());
  scene.connect(3);
  Join elsewhere = join_as("10", Role::broadcaster);
  elsewhere.app_id = elsewhere.token = "other";
  scene.ask(3, elsewhere);
  g_assert_true(scene.told(3).empty() && scene.told(1).empty());
  g_assert_true(scene.code(3, Subscribe{10}) == Code::not_publishing);
  g_assert_cmpuint(scene.book.channels(open_app).size(), ==, 2);
  g_assert_cmpuint(scene.book.channels("other").size(), ==, 1);
}

void assigned_uids_are_unique () {
  // A generator that repeats itself: the channel must notice.
  Config config = plain_config();
  std::uint8_t count = 0;
  config.random = [&count] (std::span<std::uint8_t> out) {
    for (std::uint8_t &byte : out)
      byte = 1;
    if (out.size() == 8)
      out[7] = static_cast<std::uint8_t>(count++ / 3);
  };
  Scene scene(config);
  std::set<Uid> seen;
  for (SessionId id = 1; id <= 20; id++) {
    const Uid uid = scene.join(id, id % 2 ? "" : "0");
    g_assert_cmpuint(uid, !=, 0);
    g_assert_true(seen.insert(uid).second);
  }
  g_assert_cmpuint(scene.book.totals().members, ==, 20);
}

Join account (const std::string &name) {
  Join join = join_as(name);
  join.uid_type = 1;
  return join;
}

Uid join_account (Scene &scene, SessionId id, const std::string &name) {
  scene.connect(id);
  return scene.ask(id, account(name)).uid.value();
}

void accounts_keep_their_uid () {
  Scene scene, after_restart;
  const Uid alice = join_account(scene, 1, "alice");
  const Uid bob = join_account(scene, 2, "bob");
  g_assert_cmpuint(alice, !=, 0);
  g_assert_cmpuint(alice, !=, bob);
  g_assert_cmpuint(join_account(after_restart, 1, "bob"), ==, bob);
  g_assert_cmpuint(join_account(after_restart, 2, "alice"), ==, alice);

  // A number as account is a text all the same.
  g_assert_cmpuint(join_account(scene, 3, "7"), !=, 7);
  // Whoever has the number already keeps it; the account steps on, and stays there.
  Scene taken;
  taken.join(1, std::to_string(alice));
  g_assert_cmpuint(join_account(taken, 2, "alice"), ==, alice + 1);
  g_assert_cmpuint(taken.book.totals().members, ==, 2);
  taken.ask(1, Leave{alice});
  g_assert_cmpuint(join_account(taken, 3, "alice"), ==, alice + 1);
  g_assert_true(taken.told(2) == "error 431");
  g_assert_true(taken.book.member(open_app, "room", alice + 1)->account == "alice");
}

void newer_wins () {
  Scene scene;
  const std::string old_url = scene.on_air(1, 10, 100);
  scene.join(2, "20");
  g_assert_true(scene.play(scene.subscribe(2, 10), 201));
  scene.connect(3);
  g_assert_cmpuint(scene.ask(3, join_as("10")).uid.value(), ==, 10);
  g_assert_true(scene.told(1) == "error 431");
  g_assert_true(scene.close_code(1) == CloseCode::replaced);
  for (const Send &send : scene.sends())
    if (const auto *error = std::get_if<ErrorEvent>(&send.message))
      g_assert_cmpstr(error->reason.c_str(), ==, "replaced by another device");
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.told(3).empty());
  g_assert_true(scene.dropped() == "play 201, push 100");
  // A channel with one and the same uid in it isn't destroyed in between.
  g_assert_true(scene.noticed() == "off, out 5, in");
  g_assert_false(scene.push(old_url, 101));
  // What the loser still sends, or its socket's end, is nobody's any more.
  scene.say(1, Publish{10});
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.disconnect(1);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(30'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_cmpuint(scene.book.totals().members, ==, 2);
}

void lost_sockets_have_grace () {
  Scene scene;
  scene.join(2, "20");
  const std::string push_url = scene.on_air(1, 10, 100);
  scene.disconnect(1);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_true(scene.book.member(open_app, "room", 10)->in_grace);
  scene.pass(9'900);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  // Its stream can be subscribed to and pushed again meanwhile.
  g_assert_true(scene.play(scene.subscribe(2, 10), 201));
  g_assert_true(scene.push(push_url, 101));
  scene.pass(200);
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.noticed() == "off, out 2");
  g_assert_true(scene.dropped() == "play 201, push 101");
  g_assert_false(scene.push(push_url, 102));
}

void rejoin_adopts () {
  Scene scene;
  scene.join(2, "20");
  const std::string push_url = scene.on_air(1, 10, 100);
  const std::string twenty = scene.on_air(4, 40, 400);
  const std::string play_url = scene.subscribe(1, 40);
  g_assert_true(scene.play(play_url, 101));
  scene.ask(1, MuteLocal{10, Target::audio, true});
  scene.disconnect(1);
  scene.pass(9'000);

  scene.connect(3);
  g_assert_cmpuint(scene.ask(3, rejoin_as("10", Role::broadcaster, {40})).uid.value(), ==, 10);
  g_assert_true(scene.told(3) == "added 40");
  g_assert_true(scene.told(2).empty());
  g_assert_true(scene.noticed().empty());
  scene.pass(20'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  // Streams, URLs and state have lived on.
  g_assert_true(scene.push(push_url, 102));
  g_assert_true(scene.dropped() == "push 100");
  g_assert_true(scene.play(play_url, 103));
  scene.connect(5);
  scene.ask(5, join_as("50"));
  g_assert_true(scene.told(5) == "added 10, audio 10 muted, added 40");

  // As audience it is no longer a speaker.
  scene.disconnect(3);
  scene.connect(6);
  scene.ask(6, rejoin_as("10", Role::audience, {}));
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_false(scene.push(push_url, 104));
}

void rejoin_hears_of_moved_streams () {
  Scene scene;
  scene.join(2, "20");
  scene.on_air(1, 10, 100);
  const std::string before = scene.subscribe(2, 10);
  scene.disconnect(2);
  const std::string fresh = scene.publish(1, 10);
  g_assert_true(scene.push(fresh, 101));
  g_assert_false(scene.play(before, 201));
  scene.connect(3);
  scene.ask(3, rejoin_as("20", Role::audience, {10}));
  g_assert_true(scene.told(3) == "added 10, url 10");
  g_assert_true(scene.play(scene.new_url(3), 202));
}

// The network changed, and the gateway hasn't noticed that the old socket is dead.
void rejoin_takes_over_from_a_live_socket () {
  Scene scene;
  scene.join(2, "20");
  const std::string url = scene.on_air(1, 10, 100);
  scene.connect(3);
  scene.ask(3, rejoin_as("10", Role::broadcaster, {}));
  g_assert_true(scene.told(1) == "error 431");
  g_assert_true(scene.close_code(1) == CloseCode::replaced);
  g_assert_true(scene.told(2).empty());
  g_assert_cmpuint(scene.drops().size(), ==, 0);
  g_assert_true(scene.push(url, 101));
}

void plain_join_starts_anew () {
  Scene scene;
  scene.join(2, "20");
  const std::string url = scene.on_air(1, 10, 100);
  scene.disconnect(1);
  scene.connect(3);
  scene.ask(3, join_as("10", Role::broadcaster));
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "push 100");
  g_assert_false(scene.push(url, 101));
  scene.pass(30'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
}

void silence_ends_a_socket () {
  Scene scene;
  scene.join(1, "10");
  scene.join(2, "20");
  scene.silent = {1};
  scene.pass(9'900);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(200);
  g_assert_true(scene.close_code(1) == CloseCode::silent);
  g_assert_cmpuint(scene.closes().size(), ==, 1);
  g_assert_true(scene.book.member(open_app, "room", 10)->in_grace);
  scene.pass(10'000);
  g_assert_true(scene.noticed() == "out 2");
}

void who_never_joins_is_closed () {
  Scene scene;
  scene.connect(1);
  scene.pass(9'900);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(200);
  g_assert_true(scene.close_code(1) == CloseCode::never_joined);
  // After leaving there is more time to join again.
  scene.join(2, "20");
  scene.ask(2, Leave{20});
  scene.pass(59'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_true(scene.code(2, join_as("21")) == Code::ok);
  scene.ask(2, Leave{21});
  scene.pass(61'000);
  g_assert_true(scene.close_code(2) == CloseCode::never_joined);
}

void channels_live_as_long_as_their_members () {
  Scene scene;
  scene.connect(1);
  scene.ask(1, join_as("10"));
  g_assert_true(scene.noticed() == "created, in");
  scene.join(2, "20", Role::broadcaster);
  g_assert_true(scene.noticed() == "in");
  const auto channels = scene.book.channels(open_app);
  g_assert_cmpuint(channels.size(), ==, 1);
  g_assert_cmpuint(channels[0].audience, ==, 1);
  g_assert_cmpuint(channels[0].broadcasters, ==, 1);
  scene.ask(1, SetRole{Role::broadcaster});
  g_assert_true(scene.noticed() == "role");
  g_assert_cmpuint(scene.book.channels(open_app)[0].broadcasters, ==, 2);
  scene.ask(1, SetRole{Role::broadcaster});
  g_assert_true(scene.noticed().empty());
  scene.ask(1, Leave{10});
  g_assert_true(scene.noticed() == "out 1");
  scene.ask(2, Leave{20});
  g_assert_true(scene.noticed() == "out 1, destroyed");
  g_assert_false(scene.book.members(open_app, "room").has_value());
}

void limits_hold () {
  Config config = plain_config();
  config.limits.members_per_channel = 2;
  config.limits.channels_per_app = 2;
  config.limits.sockets_per_address = 6;
  Scene scene(config);
  scene.join(1, "10");
  scene.join(2, "20");
  scene.connect(3);
  g_assert_true(scene.code(3, join_as("30")) == Code::too_many);
  g_assert_true(scene.code(3, join_as("")) == Code::too_many);
  // Who is in already may come back.
  g_assert_true(scene.code(3, join_as("20")) == Code::ok);
  scene.connect(4);
  g_assert_true(scene.code(4, join_as("40", Role::audience, "second")) == Code::ok);
  scene.connect(5);
  g_assert_true(scene.code(5, join_as("50", Role::audience, "third")) == Code::too_many);
  scene.ask(4, Leave{40});
  g_assert_true(scene.code(5, join_as("50", Role::audience, "third")) == Code::ok);

  scene.connect(6);
  scene.connect(7);
  g_assert_cmpuint(scene.closes().size(), ==, 0);
  scene.connect(8);
  g_assert_true(scene.close_code(8) == CloseCode::try_later);
  scene.connect(9, "192.0.2.2");
  g_assert_cmpuint(scene.closes().size(), ==, 0);
  scene.disconnect(7);
  scene.connect(10);
  g_assert_cmpuint(scene.closes().size(), ==, 0);
}

void an_overloaded_gateway_says_so () {
  Config config = plain_config();
  config.limits.members = 2;
  Scene scene(config);
  scene.join(1, "10");
  scene.join(2, "20");
  scene.connect(3);
  g_assert_true(scene.code(3, join_as("30", Role::audience, "hall")) == Code::overloaded);
  g_assert_true(scene.code(3, join_as("30")) == Code::overloaded);
  g_assert_true(scene.code(3, join_as("20")) == Code::ok);
}

void floods_are_slowed_and_ended () {
  Config config = plain_config();
  config.limits.requests_per_second = 10;
  config.limits.request_burst = 20;
  Scene scene(config);
  scene.join(1, "10");
  scene.join(2, "20");
  int good = 0;
  while (scene.code(1, MuteLocal{10}) == Code::ok)
    good++;
  g_assert_cmpint(good, ==, 19);  // and the join
  scene.now.mono_ms += 1'000;
  for (int i = 0; i < 9; i++)
    g_assert_true(scene.code(1, MuteLocal{10}) == Code::ok);
  int refused = 0;
  for (;;) {
    scene.say(1, Publish{10});
    if (!scene.closes().empty())
      break;
    refused++;
    g_assert_cmpint(refused, <, 1000);
  }
  g_assert_true(scene.close_code(1) == CloseCode::policy);
  g_assert_cmpint(refused, >, 20);
  // Nobody else is slowed.
  g_assert_true(scene.code(2, Subscribe{10}) == Code::not_publishing);
}

void malformed_frames_are_answered () {
  Scene scene;
  scene.join(1, "10");
  DecodeError error;
  error.code = Code::bad_order;
  error.reason = "uid: expected a number";
  error.request_id = 77;
  scene.last = scene.book.malformed(1, error, scene.now);
  g_assert_cmpuint(scene.last.size(), ==, 1);
  const auto answer = std::get<Answer>(scene.sends().at(0).message);
  g_assert_cmpint(answer.request_id, ==, 77);
  g_assert_true(answer.code == Code::bad_order);
  g_assert_true(answer.reason == error.reason);
  // Without a number there is nothing to answer to.
  error.request_id = 0;
  scene.last = scene.book.malformed(1, error, scene.now);
  g_assert_true(scene.told(1) == "error 430");
  error.is_join = true;
  error.code = Code::bad_role_or_uid;
  scene.last = scene.book.malformed(1, error, scene.now);
  g_assert_cmpuint(scene.book.totals().joins.at(431), ==, 1);
  scene.last = scene.book.malformed(99, error, scene.now);
  g_assert_cmpuint(scene.last.size(), ==, 0);
}

void mutes_reach_the_others () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.join(2, "20");
  const struct {
    Target target;
    bool mute;
    const char *told;
  } rows[] = {
      {Target::audio, true, "audio 10 muted"},
      {Target::video, true, "video 10 muted"},
      {Target::all, false, "audio 10 unmuted, video 10 unmuted"},
  };
  for (const auto &row : rows) {
    scene.ask(1, MuteLocal{10, row.target, row.mute});
    g_assert_true(scene.told(2) == row.told);
    g_assert_true(scene.told(1).empty());
  }
  // Muted before it speaks: learnt with the stream.
  scene.join(3, "30", Role::broadcaster);
  scene.ask(3, MuteLocal{30, Target::audio, true});
  g_assert_true(scene.push(scene.publish(3, 30), 300));
  g_assert_true(scene.told(2) == "added 30, audio 30 muted");
  // To stop receiving somebody is told to nobody.
  scene.subscribe(2, 10);
  scene.ask(2, Mute{10, Target::all, true});
  g_assert_true(scene.told(1).empty() && scene.told(3).empty());
  scene.ask(2, Unsubscribe{{10}});
  g_assert_true(scene.code(2, Mute{10, Target::all, false}) == Code::bad_order);
}

void ten_thousand_members () {
  Config config = plain_config();
  config.limits.sockets_per_address = 0;
  Scene scene(config);
  scene.on_air(1, 1, 1);
  for (SessionId id = 2; id <= 10'000; id++) {
    scene.last = scene.book.connected(id, "192.0.2.9", "gw", scene.now);
    ClientMessage message;
    message.envelope.request_id = 1;
    message.request = join_as(std::to_string(id));
    scene.last = scene.book.received(id, message, scene.now);
    g_assert_cmpuint(scene.sends().size(), ==, 2);
  }
  ClientMessage message;
  message.request = MuteLocal{1, Target::audio, true};
  const Commands commands = scene.book.received(1, message, scene.now);
  // One frame for all, to be encoded once.
  g_assert_cmpuint(commands.size(), ==, 2);
  g_assert_cmpuint(std::get<Send>(commands[1]).to.size(), ==, 9'999);
  g_assert_cmpuint(scene.book.totals().members, ==, 10'000);
}

}  // namespace

static const agora::Suite suite("channel", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"newcomers", newcomers_learn_who_speaks},
      {"rejoin/difference", rejoin_tells_the_difference},
      {"apart", channels_and_apps_are_apart},
      {"uids/assigned", assigned_uids_are_unique},
      {"uids/accounts", accounts_keep_their_uid},
      {"newer-wins", newer_wins},
      {"grace", lost_sockets_have_grace},
      {"rejoin/adopts", rejoin_adopts},
      {"rejoin/moved-streams", rejoin_hears_of_moved_streams},
      {"rejoin/live-socket", rejoin_takes_over_from_a_live_socket},
      {"plain-join", plain_join_starts_anew},
      {"silence", silence_ends_a_socket},
      {"never-joined", who_never_joins_is_closed},
      {"lifetime", channels_live_as_long_as_their_members},
      {"limits", limits_hold},
      {"overload", an_overloaded_gateway_says_so},
      {"flood", floods_are_slowed_and_ended},
      {"malformed", malformed_frames_are_answered},
      {"mutes", mutes_reach_the_others},
      {"ten-thousand", ten_thousand_members},
  };
  for (const auto &test : tests)
    g_test_add_func((std::string("/gateway/channel/") + test.name).c_str(), test.test);
});

}  // namespace channel_test
