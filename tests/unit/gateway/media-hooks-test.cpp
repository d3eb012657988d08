// SPDX-License-Identifier: LGPL-2.1-or-later
// Streams and their URLs, as the media server's hooks and the members see them.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace media_hooks_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

void announced_once_admitted () {
  Scene scene;
  scene.join(1, "10", Role::broadcaster);
  scene.join(2, "20");
  const std::string url = scene.publish(1, 10);
  g_assert_true(scene.told(2).empty());
  g_assert_true(scene.code(2, Subscribe{10}) == Code::not_publishing);
  g_assert_true(scene.push(url, 100));
  g_assert_true(scene.told(2) == "added 10");
  g_assert_true(scene.told(1).empty());
  g_assert_true(scene.noticed() == "on");
  const Answer answer = scene.ask(2, Subscribe{10});
  g_assert_cmpint(answer.rotation.value(), ==, 0);
  g_assert_true(scene.play(answer.url.value(), 200));
  // Asked by the same session again, nothing changes.
  g_assert_true(scene.push(url, 100));
  g_assert_true(scene.play(answer.url.value(), 200));
  g_assert_cmpuint(scene.last.size(), ==, 0);
}

void urls_are_well_formed () {
  Config config = plain_config();
  config.rtmp_port = 2935;
  Scene scene(config);
  scene.connect(1, "192.0.2.1", "::1");
  scene.ask(1, join_as("10", Role::broadcaster));
  const std::string url = scene.publish(1, 10);
  g_assert_true(url.starts_with("rtmp://[::1]:2935/live/"));
  g_assert_cmpuint(url.size() - url.find('?'), <, 200);
  // A Host header can hold anything; a URL can't.
  scene.connect(2, "192.0.2.1", "evil\"}\r\n");
  scene.ask(2, join_as("20", Role::broadcaster));
  g_assert_true(scene.publish(2, 20).starts_with("rtmp://localhost:2935/live/"));
  config.rtmp_host = "cdn.example";
  config.rtmp_app = "voice";
  Scene fixed(config);
  fixed.join(1, "10", Role::broadcaster);
  g_assert_true(fixed.publish(1, 10).starts_with("rtmp://cdn.example:2935/voice/"));
}

void what_was_not_handed_out_is_refused () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.on_air(3, 30, 300);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  const std::string play_other = scene.subscribe(2, 30);
  const std::string stream = push.substr(0, push.find('?'));

  // The other direction, with either URL.
  g_assert_false(scene.play(push, 500));
  g_assert_false(scene.push(play, 500));
  // No arguments, or another's, or changed ones, or some more.
  g_assert_false(scene.push(stream, 500));
  g_assert_false(scene.play(stream, 500));
  g_assert_false(scene.play(stream + play_other.substr(play_other.find('?')), 500));
  g_assert_false(scene.push(push + "x", 500));
  g_assert_false(scene.push(push + "&name=other", 500));
  g_assert_false(scene.push(push + "&", 500));
  for (const char *key : {"m=", "g=", "e=", "s="}) {
    std::string forged = push;
    char &digit = forged[forged.find(key) + 2];
    digit = digit == '1' ? '2' : '1';
    g_assert_false(scene.push(forged, 500));
  }
  // Another app or stream of the same server.
  std::string elsewhere = push;
  elsewhere.replace(elsewhere.find("/live/"), 6, "/vod1/");
  g_assert_false(scene.push(elsewhere, 500));
  g_assert_false(scene.push("rtmp://gw/live/room10?uid=10", 500));
  g_assert_false(scene.push("rtmp://gw/live/", 500));

  // None of it has touched what is on the air.
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_true(scene.push(push, 100));
  g_assert_true(scene.play(play, 200));
  g_assert_cmpuint(scene.last.size(), ==, 0);
}

void another_gateways_urls_are_refused () {
  Config config = plain_config();
  config.secret[0] = 'x';
  Scene ours, theirs(config);
  ours.on_air(1, 10, 100);
  theirs.join(1, "10", Role::broadcaster);
  g_assert_false(ours.push(theirs.publish(1, 10), 101));
}

void urls_expire () {
  Config config = plain_config();
  config.times.url_lifetime_s = 60;
  Scene scene(config);
  const std::string push = scene.on_air(1, 10, 100);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  scene.pass(59'000);
  g_assert_true(scene.push(push, 101));
  g_assert_true(scene.play(play, 201));
  scene.pass(1'000);
  g_assert_false(scene.push(push, 102));
  g_assert_false(scene.play(play, 202));
  // Only new sessions are refused, and another URL is to be had.
  g_assert_cmpuint(scene.drops().size(), ==, 0);
  g_assert_true(scene.play(scene.subscribe(2, 10), 203));
  g_assert_true(scene.dropped() == "play 201");
  g_assert_true(scene.push(scene.ask(1, UpdateUrl{10}).url.value(), 103));
}

void urls_die_with_the_membership () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.on_air(3, 30, 300);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  const std::string play_other = scene.subscribe(2, 30);
  g_assert_true(scene.play(play, 200));
  g_assert_true(scene.play(play_other, 201));
  scene.ask(1, Leave{10});
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "play 200, push 100");
  g_assert_false(scene.push(push, 101));
  g_assert_false(scene.play(play, 202));
  scene.ask(2, Leave{20});
  g_assert_true(scene.dropped() == "play 201");
  g_assert_false(scene.play(play_other, 203));
  // Nor do they come back to life with a new membership of the same uid.
  g_assert_true(scene.code(1, join_as("10", Role::broadcaster)) == Code::ok);
  g_assert_true(scene.code(2, join_as("20")) == Code::ok);
  g_assert_false(scene.push(push, 104));
  g_assert_false(scene.play(play_other, 204));
}

void pushes_without_end () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  std::uint64_t client = 101;
  while (client < 200 && scene.push(push, client))
    client++;
  g_assert_cmpuint(client, <, 130);
  g_assert_cmpuint(scene.drops().size(), ==, 0);
  scene.pass(1'000);
  g_assert_true(scene.push(push, client));
  g_assert_false(scene.push(push, client + 1));
  // It is one's own doing.
  scene.on_air(2, 20, 300);
}

void one_session_for_each_url () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  g_assert_true(scene.push(push, 101));
  g_assert_true(scene.dropped() == "push 100");
  g_assert_true(scene.told(2).empty());
  g_assert_true(scene.play(play, 201));
  g_assert_true(scene.dropped() == "play 200");
  // The old ones' ends don't count any more.
  scene.push_ends(100);
  scene.play_ends(200);
  scene.pass(5'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_true(scene.play(play, 202));
  g_assert_true(scene.dropped() == "play 201");
  // One RTMP session carries one stream each way.
  scene.on_air(3, 30, 300);
  const std::string other = scene.subscribe(2, 30);
  g_assert_false(scene.play(other, 202));
  scene.join(4, "40", Role::broadcaster);
  g_assert_false(scene.push(scene.publish(4, 40), 101));
}

void lost_pushes_are_held () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  scene.push_ends(100);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(2'900);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  // Back in time: the listeners' URL still serves, so they hear nothing of it.
  g_assert_true(scene.push(push, 101));
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_true(scene.play(play, 201));
  scene.pass(10'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);

  // Not back in time: gone for the listeners, and their sessions are cut.
  scene.push_ends(101);
  scene.pass(3'000);
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.dropped() == "play 201");
  g_assert_true(scene.noticed() == "off");
  g_assert_false(scene.play(play, 202));
  g_assert_true(scene.code(2, Subscribe{10}) == Code::not_publishing);
  // Later its URL still pushes, as a stream that is new to the others.
  g_assert_true(scene.push(push, 102));
  g_assert_true(scene.told(2) == "added 10");
}

void fresh_urls_move_the_stream () {
  Scene scene;
  const std::string first = scene.on_air(1, 10, 100);
  scene.join(2, "20");
  scene.join(3, "30");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  const std::string second = scene.ask(1, UpdateUrl{10}).url.value();
  g_assert_true(second.substr(0, second.find('?')) != first.substr(0, first.find('?')));
  // Until it is used, the first one is on the air.
  g_assert_true(scene.play(play, 201));
  g_assert_true(scene.push(second, 101));
  g_assert_true(scene.told(2) == "url 10");
  g_assert_true(scene.told(3).empty());  // it doesn't listen
  g_assert_cmpuint(scene.drops().size(), ==, 0);
  const std::string moved = scene.new_url(2);
  g_assert_false(scene.play(play, 202));
  g_assert_false(scene.push(first, 102));
  g_assert_true(scene.play(moved, 203));
  g_assert_cmpuint(scene.last.size(), ==, 0);
  // The old push goes on while they move over, and no longer.
  scene.pass(1'000);
  g_assert_true(scene.dropped() == "push 100");
  scene.push_ends(100);
  scene.play_ends(201);
  scene.pass(5'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);

  // The same within the hold, by publishing again.
  scene.push_ends(101);
  const std::string third = scene.publish(1, 10);
  scene.pass(1'000);
  g_assert_true(scene.push(third, 103));
  g_assert_true(scene.told(2) == "url 10");
  scene.pass(4'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  // Who stays is cut in the end: there is nothing to hear any more.
  scene.pass(1'000);
  g_assert_true(scene.dropped() == "play 203");

  // Only the last URL handed out counts.
  const std::string fourth = scene.publish(1, 10);
  const std::string fifth = scene.publish(1, 10);
  g_assert_false(scene.push(fourth, 104));
  g_assert_true(scene.push(fifth, 104));
}

void unpublish_is_told_at_once () {
  const Request goodbyes[] = {Unpublish{10}, Leave{10}, SetRole{Role::audience}};
  for (const Request &goodbye : goodbyes) {
    for (const bool lost : {false, true}) {
      Scene scene;
      const std::string push = scene.on_air(1, 10, 100);
      scene.join(2, "20");
      g_assert_true(scene.play(scene.subscribe(2, 10), 200));
      if (lost)
        scene.push_ends(100);
      const std::string next = scene.ask(1, UpdateUrl{10}).url.value();
      scene.ask(1, goodbye);
      g_assert_true(scene.told(2) == "removed 10");
      g_assert_true(scene.dropped() == (lost ? "play 200" : "play 200, push 100"));
      g_assert_false(scene.push(push, 101));
      g_assert_false(scene.push(next, 101));
      scene.pass(5'000);
      g_assert_cmpuint(scene.last.size(), ==, 0);
    }
  }
}

void unsubscribe_cuts_the_player () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  scene.ask(2, Unsubscribe{{10, 99}});
  g_assert_true(scene.dropped() == "play 200");
  g_assert_false(scene.play(play, 201));
  const std::string again = scene.subscribe(2, 10);
  g_assert_false(scene.play(play, 201));
  g_assert_true(scene.play(again, 201));
}

void a_dead_media_server_is_held_too () {
  Scene scene;
  const std::string ten = scene.on_air(1, 10, 100);
  scene.on_air(3, 30, 300);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  scene.last = scene.book.media_server_lost(scene.now);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(1'000);
  // Its successor counts its sessions from the start again.
  g_assert_true(scene.push(ten, 1));
  g_assert_true(scene.play(play, 2));
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(2'100);
  g_assert_true(scene.told(2) == "removed 30");
  g_assert_true(scene.told(3).empty());
  // A late end of a session of the dead one is no news.
  scene.push_ends(100);
  scene.pass(4'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
}

void lost_ends_are_made_up_for () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.on_air(3, 30, 300);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  // Just admitted, a session may not be counted there yet.
  const std::int64_t admitted_ms = scene.now.mono_ms;
  scene.last = scene.book.media_sessions({}, admitted_ms, scene.now);
  scene.pass(5'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  // When it was counted is what matters, not when we came to look at it.
  scene.last = scene.book.media_sessions({}, admitted_ms + 1'000, scene.now);
  scene.pass(5'000);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.last = scene.book.media_sessions({300, 7}, scene.now.mono_ms, scene.now);
  scene.pass(3'000);
  g_assert_true(scene.told(2) == "removed 10");
  g_assert_true(scene.told(1).empty());
}

void who_is_back_before_the_count_is_spared () {
  Scene scene;
  const std::string push = scene.on_air(1, 10, 100);
  scene.on_air(3, 30, 300);
  scene.join(2, "20");
  const std::string play = scene.subscribe(2, 10);
  g_assert_true(scene.play(play, 200));
  scene.pass(60'000);
  // A worker died, and its successor has had two of them before anybody noticed.
  g_assert_true(scene.push(push, 101));
  g_assert_true(scene.play(play, 201));
  scene.pass(500);
  scene.last = scene.book.media_sessions({101}, scene.now.mono_ms, scene.now);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  scene.pass(500);
  scene.last = scene.book.media_sessions({101, 201}, scene.now.mono_ms, scene.now);
  scene.pass(5'000);
  g_assert_true(scene.told(2) == "removed 30");
  g_assert_true(scene.told(3).empty());
}

void many_listeners_are_cut_by_name () {
  Scene scene;
  scene.on_air(1, 10, 100);
  for (std::uint64_t i = 0; i < 40; i++) {
    scene.join(100 + i, std::to_string(200 + i));
    g_assert_true(scene.play(scene.subscribe(100 + i, 10), 1000 + i));
    // The last two haven't been there for long.
    if (i == 37)
      scene.pass(3'000);
  }
  scene.ask(1, Unpublish{10});
  g_assert_true(scene.dropped().starts_with("play 0, play "));
  const std::string dropped = scene.dropped();
  g_assert_cmpuint(scene.drops().size(), ==, 4);
  for (const char *each : {"play 1038", "play 1039", "push 100"})
    g_assert_true(dropped.find(each) != std::string::npos);
}

void names_of_a_returning_uid_are_new () {
  Scene scene;
  std::set<std::string> names;
  scene.join(1, "10", Role::broadcaster);
  for (std::uint64_t round = 0; round < 50; round++) {
    const std::string url = scene.publish(1, 10);
    g_assert_true(names.insert(url.substr(0, url.find('?'))).second);
    g_assert_true(scene.push(url, 100 + round));
    scene.ask(1, Unpublish{10});
    scene.pass(1'000);
  }
  g_assert_cmpuint(scene.book.totals().streams, ==, 0);
}

}  // namespace

static const agora::Suite suite("media-hooks", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"announced", announced_once_admitted},
      {"well-formed", urls_are_well_formed},
      {"refused", what_was_not_handed_out_is_refused},
      {"another-gateway", another_gateways_urls_are_refused},
      {"expire", urls_expire},
      {"die", urls_die_with_the_membership},
      {"one-session", one_session_for_each_url},
      {"without-end", pushes_without_end},
      {"held", lost_pushes_are_held},
      {"moved", fresh_urls_move_the_stream},
      {"unpublish", unpublish_is_told_at_once},
      {"unsubscribe", unsubscribe_cuts_the_player},
      {"server-lost", a_dead_media_server_is_held_too},
      {"lost-ends", lost_ends_are_made_up_for},
      {"spared", who_is_back_before_the_count_is_spared},
      {"many-listeners", many_listeners_are_cut_by_name},
      {"new-names", names_of_a_returning_uid_are_new},
  };
  for (const auto &test : tests)
    g_test_add_func((std::string("/gateway/media/") + test.name).c_str(), test.test);
});

}  // namespace media_hooks_test
