// SPDX-License-Identifier: LGPL-2.1-or-later
// Channel books of several gateways over one store: members that go from one to another.
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace cluster_moves_test {

using namespace agora::gateway;
using namespace agora::protocol;
namespace cluster = agora::gateway::cluster;

namespace {

// A listener comes back at another gateway: what it was subscribed to, it is, and it is told the
// URLs that are good there. What it plays at the first goes on until it has gone over.
void test_listener_moves () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  g_assert_true(b.code(2, Mute{7, Target::audio, true}) == Code::ok);
  b.disconnect(2);
  all.forget();
  a.connect(3);
  g_assert_cmpuint(a.ask(3, rejoin_as("8", Role::audience, {7})).uid.value(), ==, 8);
  same(a.told(3), "added 7, url 7");
  same(b.dropped(), "");
  same(a.noticed() + b.noticed(), "");
  const std::string url = a.new_url(3);
  same(stream_of(url), stream_of(all.pushed));
  // Whoever asks nevertheless gets the same one, once.
  same(a.subscribe(3, 7), url);
  g_assert_true(a.play(url, 300));
  g_assert_true(a.code(3, Mute{7, Target::audio, false}) == Code::ok);
  all.pass(6'000);
  same(b.dropped(), "play 200");
  same(a.dropped(), "");
  same(b.noticed(), "");
  g_assert_cmpuint(b.book.totals().members, ==, 0);
  g_assert_cmpuint(b.book.totals().channels, ==, 0);

  // And back, with something else: what it has had enough of is gone there, too.
  a.on_air(4, 9, 104);
  a.subscribe(3, 9);
  a.say(3, Unsubscribe{{7}});
  all.pass(500);
  a.disconnect(3);
  b.connect(5);
  g_assert_cmpuint(b.ask(5, rejoin_as("8", Role::audience, {7, 9})).uid.value(), ==, 8);
  same(b.told(5), "added 7, added 9, url 9");
  g_assert_true(b.code(5, Mute{7, Target::audio, true}) == Code::bad_order);
}

// There and back at once: what it plays here goes on, by what it was subscribed to last.
void test_listener_moves_back () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.on_air(4, 9, 104);
  b.disconnect(2);
  a.connect(3);
  a.ask(3, rejoin_as("8", Role::audience, {7}));
  a.subscribe(3, 9);
  a.say(3, Unsubscribe{{7}});
  // What changes often is told a moment later.
  all.pass(500);
  a.disconnect(3);
  all.forget();
  b.connect(5);
  g_assert_cmpuint(b.ask(5, rejoin_as("8", Role::audience, {7, 9})).uid.value(), ==, 8);
  same(b.told(5), "added 7, added 9, url 9");
  same(b.dropped(), "play 200");
}

// Nor is it told again what is over, or subscribed to what came after.
void test_listener_moves_too_late () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.say(1, Unpublish{7});
  b.disconnect(2);
  a.connect(3);
  a.ask(3, rejoin_as("8", Role::audience, {7}));
  same(a.told(3), "removed 7");
}

// How a speaker is muted goes along with it, and is told with its stream.
void test_mutes_move () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.say(1, MuteLocal{7, Target::audio, true});
  a.disconnect(1);
  all.forget();
  b.connect(3);
  b.ask(3, rejoin_as("7", Role::broadcaster, {}));
  const std::string url = b.publish(3, 7);
  g_assert_true(b.push(url, 300));
  all.pass(2'000);
  a.join(4, "9");
  same(a.told(4), "added 7, audio 7 muted");
}

void test_muted_before_the_stream () {
  ClusterScene all(2);
  Scene &a = all[0], &b = all[1];
  b.join(2, "8");
  a.join(1, "7", Role::broadcaster);
  const std::string url = a.publish(1, 7);
  a.say(1, MuteLocal{7, Target::audio, true});
  all.forget();
  g_assert_true(a.push(url, 100));
  same(b.told(2), "added 7, audio 7 muted");
}

// The wall clock of one of them is wrong.
void test_clocks_apart () {
  for (const std::int64_t off_s : {3'600, -3'600}) {
    ClusterScene all(2);
    Scene &a = all[0], &b = all[1];
    b.now.wall_s += off_s;
    a.on_air(1, 7, 100);
    b.join(2, "8");
    g_assert_true(b.play(b.subscribe(2, 7), 200));
    g_assert_true(a.play(b.relay_from, 900));
    all.pass(61'000);
    g_assert_false(a.play(b.relay_from, 901));
    // And the other way round.
    b.on_air(3, 9, 300);
    a.join(4, "10");
    g_assert_true(a.play(a.subscribe(4, 9), 400));
    g_assert_true(b.play(a.relay_from, 902));

    Rule rule;
    rule.channel = "room";
    rule.uid = 9;
    for (Scene *by : {&a, &b}) {
      const std::int64_t ends_ms = by->book.to_shared_ms(by->now.wall_s + 60, by->now);
      by->take(by->book.query(cluster::rule_write({open_app, 0, ends_ms, rule_text(rule)}), by->now)
                   .second);
      all.pass(50'000);
      for (Scene *at : {&a, &b}) {
        g_assert_cmpuint(at->book.rules(open_app, at->now).size(), ==, 1);
        g_assert_cmpint(at->book.rules(open_app, at->now)[0].ends_at, ==, at->now.wall_s + 10);
      }
      all.pass(11'000);
      for (Scene *at : {&a, &b})
        g_assert_cmpuint(at->book.rules(open_app, at->now).size(), ==, 0);
    }
  }
}

// And one that never pushes there: its sound ends.
void test_orphan_ends () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.disconnect(1);
  b.connect(3);
  b.ask(3, rejoin_as("7", Role::broadcaster, {}));
  all.pass(4'000);
  same(a.dropped(), "push 100");
  same(b.told(2), "removed 7");
  g_assert_cmpuint(b.book.totals().members, ==, 2);
  // No member of the channel is at the first any more.
  all.pass(3'000);
  g_assert_cmpuint(a.book.totals().channels, ==, 0);
  g_assert_cmpuint(a.book.totals().members, ==, 0);
}

// There and back again, before its sound here has ended.
void test_back_again () {
  Pair all;
  Scene &a = all[0], &b = all[1];
  a.disconnect(1);
  b.connect(3);
  b.ask(3, rejoin_as("7", Role::broadcaster, {}));
  b.disconnect(3);
  all.forget();
  a.connect(4);
  g_assert_cmpuint(a.ask(4, rejoin_as("7", Role::broadcaster, {})).uid.value(), ==, 7);
  all.pass(10'000);
  same(b.told(2), "");
  same(a.dropped(), "");
  g_assert_cmpuint(a.book.totals().members, ==, 1);
  g_assert_cmpuint(a.book.totals().streams, ==, 1);
  g_assert_cmpuint(b.book.totals().members, ==, 1);
}

}  // namespace

static const agora::Suite suite("cluster-moves", [] {
  g_test_add_func("/cluster/listener-moves", test_listener_moves);
  g_test_add_func("/cluster/listener-moves-back", test_listener_moves_back);
  g_test_add_func("/cluster/listener-moves-too-late", test_listener_moves_too_late);
  g_test_add_func("/cluster/mutes-move", test_mutes_move);
  g_test_add_func("/cluster/muted-before-the-stream", test_muted_before_the_stream);
  g_test_add_func("/cluster/clocks-apart", test_clocks_apart);
  g_test_add_func("/cluster/orphan-ends", test_orphan_ends);
  g_test_add_func("/cluster/back-again", test_back_again);
});

}  // namespace cluster_moves_test
