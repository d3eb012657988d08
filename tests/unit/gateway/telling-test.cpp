// SPDX-License-Identifier: LGPL-2.1-or-later
// What a channel hears of its members when some change more than the others can be told, and what a
// socket may ask for.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace telling_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

// Two events a second and receiver: with three members, one change makes two of them.
Config narrow (unsigned events_per_second) {
  Config config = plain_config();
  config.limits.events_per_second = events_per_second;
  config.limits.requests_per_second = 0;
  return config;
}

std::size_t events_of (const Scene &scene) {
  std::size_t count = 0;
  for (const Send &send : scene.sends())
    count += std::holds_alternative<Event>(send.message) ? send.to.size() : 0;
  return count;
}

// Runs the channel book's timers, without any frame.
void wait (Scene &scene, std::int64_t ms) {
  Commands all;
  for (const std::int64_t end = scene.now.mono_ms + ms; scene.now.mono_ms < end;) {
    scene.now.mono_ms =
        std::min(end, std::max(scene.book.next_deadline().value_or(end), scene.now.mono_ms + 1));
    for (Command &command : scene.book.tick(scene.now))
      all.push_back(std::move(command));
  }
  scene.last = std::move(all);
}

void who_sends_nothing_is_nobodys_business () {
  Scene scene;
  scene.join(1, "10");
  scene.join(2, "20", Role::broadcaster);
  scene.join(3, "30");
  for (SessionId id : {1, 2})
    for (bool mute : {true, false, true}) {
      scene.ask(id, MuteLocal{id == 1 ? 10u : 20u, Target::all, mute});
      g_assert_cmpuint(events_of(scene), ==, 0);
    }
  // Who has asked for a push URL is about to speak.
  const std::string url = scene.publish(2, 20);
  scene.ask(2, MuteLocal{20, Target::video, false});
  g_assert_true(scene.told(3) == "audio 20 muted");
  scene.ask(2, MuteLocal{20, Target::audio, false});
  g_assert_true(scene.told(3) == "audio 20 unmuted");
  g_assert_true(scene.push(url, 200));
  g_assert_true(scene.told(3) == "added 20");
}

void a_mute_is_forgotten_by_nobody () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.join(2, "20");
  scene.ask(1, MuteLocal{10, Target::audio, true});
  scene.ask(1, Unpublish{10});
  g_assert_true(scene.told(2) == "removed 10");
  // Taken back meanwhile, of which nothing was told.
  scene.ask(1, MuteLocal{10, Target::audio, false});
  g_assert_true(scene.told(2).empty());
  g_assert_true(scene.push(scene.publish(1, 10), 101));
  g_assert_true(scene.told(2) == "added 10, audio 10 unmuted");
}

void a_loop_is_folded () {
  Scene scene(narrow(1'000'000));
  scene.on_air(1, 10, 100);
  scene.join(2, "20");
  std::size_t told = 0;
  for (int i = 0; i < 1000; i++) {
    scene.ask(1, MuteLocal{10, Target::audio, i % 2 == 0});
    told += events_of(scene);
  }
  // A few at once, for people with quick fingers.
  g_assert_cmpuint(told, >=, 4);
  g_assert_cmpuint(told, <=, 8);
  scene.ask(1, MuteLocal{10, Target::audio, true});
  scene.ask(1, MuteLocal{10, Target::video, true});
  scene.ask(1, MuteLocal{10, Target::video, false});
  wait(scene, 1'100);
  const std::string last = scene.told(2);
  g_assert_true(last.empty() || last == "audio 10 muted");
  // In the end the last state is known, to who comes now as well.
  scene.join(3, "30");
  g_assert_true(scene.told(3) == "added 10, audio 10 muted");
  wait(scene, 5'000);
  g_assert_cmpuint(events_of(scene), ==, 0);
}

void one_who_loops_delays_nobody () {
  Scene scene(narrow(1'000'000));
  scene.on_air(1, 10, 100);
  scene.on_air(2, 20, 200);
  scene.join(3, "30");
  for (int i = 0; i < 100; i++)
    scene.ask(1, MuteLocal{10, Target::audio, i % 2 == 0});
  scene.ask(2, MuteLocal{20, Target::audio, true});
  g_assert_true(scene.told(3) == "audio 20 muted");
}

void a_channel_has_an_allowance () {
  // Four members, so three receivers; bursts of twelve.
  Scene scene(narrow(12));
  for (SessionId id = 1; id <= 4; id++)
    scene.on_air(id, static_cast<Uid>(id * 10), id * 100);
  scene.pass(10'000);
  std::size_t told = 0;
  for (SessionId id = 1; id <= 4; id++) {
    const auto uid = static_cast<Uid>(id * 10);
    scene.ask(id, MuteLocal{uid, Target::all, true});
    told += events_of(scene);
    scene.ask(id, Unpublish{uid});
    told += events_of(scene);
    g_assert_true(scene.push(scene.publish(id, uid), id * 100 + 1));
    told += events_of(scene);
  }
  // What was asked for cost 4 * 3 * 4 events and more, had all been told at once.
  g_assert_cmpuint(told, <=, 12 + 6);
  // A newcomer is told what the others are.
  scene.join(5, "50");
  const std::string at_first = scene.told(5);
  scene.pass(60'000);
  std::string then = at_first + ", " + scene.told(5);
  for (const char *last : {"added 10", "added 20", "added 30", "added 40", "audio 10 muted",
                           "video 20 muted", "audio 40 muted"})
    if (then.find(last) == std::string::npos)
      g_error("not told of \"%s\": %s", last, then.c_str());
  // Those that went and came are other streams: told as gone first, once.
  g_assert_true(scene.told(1).find("removed 40, added 40") != std::string::npos);
  g_assert_true(scene.told(1).find("removed 40") == scene.told(1).rfind("removed 40"));
  scene.pass(60'000);
  g_assert_cmpuint(events_of(scene), ==, 0);
}

void who_came_and_went_is_not_told () {
  Scene scene(narrow(2));
  for (SessionId id = 1; id <= 3; id++)
    scene.on_air(id, static_cast<Uid>(id * 10), id * 100);
  scene.pass(30'000);
  for (Uid uid : {10, 20, 30})
    scene.ask(uid / 10, Unpublish{uid});  // the allowance is used up
  std::size_t told = 0;
  for (SessionId id = 1'000; id < 1'200; id++) {
    scene.on_air(id, static_cast<Uid>(id), id);
    told += events_of(scene);
    scene.ask(id, Leave{static_cast<Uid>(id)});
    told += events_of(scene);
    scene.disconnect(id);
  }
  g_assert_cmpuint(told, <=, 12);
  scene.pass(60'000);
  g_assert_cmpuint(events_of(scene), <=, 12);
  // The channel goes with its members, whoever is waiting to be told of.
  for (SessionId id = 1; id <= 3; id++)
    scene.ask(id, Leave{static_cast<Uid>(id * 10)});
  scene.pass(60'000);
  g_assert_cmpuint(scene.book.totals().channels, ==, 0);
}

// Each who listens gets a URL of its own when a stream moves.
void moves_are_limited () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.join(2, "20");
  scene.subscribe(2, 10);
  int moves = 0;
  std::uint64_t client = 101;
  for (; moves < 50; moves++) {
    const Answer answer = scene.ask(1, UpdateUrl{10});
    if (answer.code == Code::too_many)
      break;
    g_assert_true(scene.push(answer.url.value(), client++));
    g_assert_true(scene.told(2) == "url 10");
  }
  g_assert_cmpint(moves, >=, 6);
  g_assert_cmpint(moves, <=, 10);
  scene.pass(3'000);
  g_assert_true(scene.code(1, UpdateUrl{10}) == Code::ok);
}

void long_frames_cost_more () {
  Scene scene;
  scene.join(1, "10");
  scene.bytes = 60'000;
  int good = 0;
  while (scene.code(1, Unsubscribe{{1}}) == Code::ok)
    good++;
  g_assert_cmpint(good, <=, 4);
  // And are a flood sooner.
  int refused = 0;
  for (; scene.closes().empty(); refused++)
    scene.say(1, Unsubscribe{{1}});
  g_assert_cmpint(refused, <, 20);
  g_assert_true(scene.close_code(1) == CloseCode::policy);
}

void strangers_share_what_their_address_may_ask () {
  Config config = plain_config();
  config.limits.unjoined_per_second = 10;
  config.limits.sockets_per_address = 50;
  Scene scene(config);
  scene.connect(900, "198.51.100.7");
  int answered = 0;
  for (SessionId id = 1; id <= 50; id++) {
    scene.connect(id, "192.0.2.66");
    for (int i = 0; i < 50; i++)
      answered += scene.code(id, Publish{1}) == Code::not_joined ? 1 : 0;
  }
  // Four for each socket, and what the address has for as many.
  g_assert_cmpint(answered, ==, 200 + 201);
  g_assert_true(scene.code(1, join_as("10")) == Code::too_many);
  g_assert_true(scene.code(900, join_as("20")) == Code::ok);
  // Going and coming again is no way around it.
  for (SessionId id = 1; id <= 50; id++)
    scene.disconnect(id);
  scene.connect(100, "192.0.2.66");
  for (int i = 0; i < 4; i++)
    g_assert_true(scene.code(100, Publish{1}) == Code::not_joined);
  g_assert_true(scene.code(100, join_as("10")) == Code::too_many);
  scene.now.mono_ms += 1'000;
  g_assert_true(scene.code(100, join_as("10")) == Code::ok);
  // Nobody is kept out by a neighbour.
  for (int i = 0; i < 1000; i++)
    scene.say(100, Ping{});
  scene.connect(101, "192.0.2.66");
  g_assert_true(scene.code(101, join_as("20")) == Code::ok);
}

void joining_again_costs_what_it_tells () {
  Scene scene;
  scene.connect(1);
  std::vector<Uid> known(1024);
  for (Uid i = 0; i < known.size(); i++)
    known[i] = 1'000 + i;
  g_assert_true(scene.code(1, rejoin_as("10", Role::audience, known)) == Code::ok);
  g_assert_cmpuint(events_of(scene), ==, 1024);
  std::size_t told = 0;
  for (int i = 0; i < 50; i++) {
    scene.say(1, rejoin_as("10", Role::audience, known));
    told += events_of(scene);
  }
  g_assert_cmpuint(told, <=, 2 * 1024);
  // That alone is no flood.
  g_assert_cmpuint(scene.book.totals().members, ==, 1);
}

// Leaving in between makes it no other thing.
void coming_and_going_on_one_socket_costs_as_much () {
  Config config = plain_config();
  config.limits.events_per_second = 0;
  Scene scene(config);
  for (SessionId id = 1; id <= 160; id++)
    scene.on_air(id, static_cast<Uid>(id), id);
  scene.connect(900);
  std::size_t told = 0;
  int joins = 0;
  for (int i = 0; i < 50; i++) {
    const bool in = scene.code(900, join_as("900")) == Code::ok;
    joins += in ? 1 : 0;
    told += events_of(scene);
    if (in)
      scene.say(900, Leave{900});
  }
  g_assert_cmpint(joins, >=, 5);
  g_assert_cmpuint(told, <=, 160 * 12);
}

void totals_are_what_there_is () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.on_air(2, 20, 200);
  scene.join(3, "30");
  scene.disconnect(1);
  scene.disconnect(3);
  const auto check = [&] (std::size_t in_grace, std::size_t streams) {
    g_assert_cmpuint(scene.book.totals().in_grace, ==, in_grace);
    g_assert_cmpuint(scene.book.totals().streams, ==, streams);
  };
  check(2, 2);
  scene.connect(4);
  scene.ask(4, rejoin_as("10", Role::broadcaster, {}));
  check(1, 2);
  scene.connect(5);
  scene.ask(5, join_as("30"));  // anew
  check(0, 2);
  scene.ask(4, Unpublish{10});
  check(0, 1);
  scene.disconnect(2);
  check(1, 1);
  scene.pass(15'000);
  check(0, 0);
  scene.disconnect(4);
  check(1, 0);
  scene.last = scene.book.close_all(scene.now);
  check(0, 0);
}

void both_ids_of_a_frame_are_answered () {
  Scene scene;
  scene.join(1, "10");
  const auto decoded = decode_client(R"({"requestId":7,"command":"ping","requestId":8})");
  scene.last = scene.book.malformed(1, std::get<DecodeError>(decoded), scene.now);
  std::set<std::int64_t> ids;
  for (const Send &send : scene.sends())
    ids.insert(std::get<Answer>(send.message).request_id);
  g_assert_true((ids == std::set<std::int64_t>{7, 8}));
}

}  // namespace

static const agora::Suite suite("telling", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"no-stream", who_sends_nothing_is_nobodys_business},
      {"mute-taken-back", a_mute_is_forgotten_by_nobody},
      {"loop", a_loop_is_folded},
      {"others", one_who_loops_delays_nobody},
      {"allowance", a_channel_has_an_allowance},
      {"churn", who_came_and_went_is_not_told},
      {"moves", moves_are_limited},
      {"bytes", long_frames_cost_more},
      {"strangers", strangers_share_what_their_address_may_ask},
      {"join-again", joining_again_costs_what_it_tells},
      {"come-and-go", coming_and_going_on_one_socket_costs_as_much},
      {"totals", totals_are_what_there_is},
      {"two-ids", both_ids_of_a_frame_are_answered},
  };
  for (const auto &test : tests)
    g_test_add_func((std::string("/gateway/telling/") + test.name).c_str(), test.test);
});

}  // namespace telling_test
