// SPDX-License-Identifier: LGPL-2.1-or-later
// A voice in several codecs: who gets which, and what its speaker is told of that.
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace codecs_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

const Codecs both{Codec::opus, Codec::aac};

// What the rules need of a URL.
std::string name_of (const std::string &url) {
  const std::size_t begin = url.rfind('/') + 1;
  return url.substr(begin, url.find('?') - begin);
}

Join knowing (const std::string &uid, Role role, std::optional<Codecs> hears = {}) {
  Join join = join_as(uid, role);
  join.features = Features{feature_codecs};
  join.hears = std::move(hears);
  return join;
}

void enter (Scene &scene, SessionId id, const Join &join) {
  scene.connect(id);
  const Answer answer = scene.ask(id, join);
  g_assert_true(answer.code == Code::ok);
  g_assert_true(answer.features == join.features);
}

using Urls = std::map<Codec, std::string>;

Urls offer (Scene &scene, SessionId id, Uid uid, const Codecs &codecs = both) {
  const Answer answer = scene.ask(id, Publish{uid, codecs});
  g_assert_true(answer.code == Code::ok);
  Urls urls(answer.urls.begin(), answer.urls.end());
  g_assert_cmpuint(urls.size(), ==, codecs.size());
  // What others would get.
  g_assert_true(urls.at(Codec::aac) == answer.url);
  return urls;
}

// The next turn of the loop.
std::string turn (Scene &scene, SessionId id) {
  scene.take(scene.book.tick(scene.now));
  return scene.told(id);
}

// A speaker of both, on the air with the one that it was asked for.
Urls speak (Scene &scene, SessionId id, Uid uid, std::uint64_t client) {
  enter(scene, id, knowing(std::to_string(uid), Role::broadcaster));
  Urls urls = offer(scene, id, uid);
  g_assert_true(turn(scene, id) == "wanted opus");
  g_assert_true(scene.push(urls.at(Codec::opus), client));
  return urls;
}

void the_first_that_both_have () {
  const struct {
    std::optional<Codecs> hears;
    Codecs offered;
    Codec gets;
  } rows[] = {
      {{}, both, Codec::aac},
      {Codecs{}, both, Codec::aac},
      {Codecs{Codec::aac}, both, Codec::aac},
      {Codecs{Codec::opus}, both, Codec::opus},
      {both, both, Codec::opus},
      {Codecs{Codec::aac, Codec::opus}, both, Codec::aac},
      {both, {Codec::aac, Codec::opus}, Codec::opus},
      {both, {Codec::aac}, Codec::aac},
      // Everybody hears AAC.
      {Codecs{Codec::opus}, {Codec::aac}, Codec::aac},
  };
  for (const auto &row : rows) {
    Scene scene;
    enter(scene, 1, knowing("10", Role::broadcaster));
    const Urls urls = offer(scene, 1, 10, row.offered);
    g_assert_true(scene.push(urls.at(row.offered[0]), 100));
    enter(scene, 2, knowing("20", Role::audience, row.hears));
    const Answer answer = scene.ask(2, Subscribe{10});
    g_assert_true(answer.codec == row.gets);
    g_assert_true(name_of(answer.url.value()) == name_of(urls.at(row.gets)));
    g_assert_true(scene.play(answer.url.value(), 200));
  }
}

// Without the feature nothing of it is met, whatever is asked.
void the_others_meet_nothing_new () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  scene.connect(2);
  Join plain = join_as("20", Role::broadcaster);
  plain.hears = both;
  g_assert_false(scene.ask(2, plain).features.has_value());
  const Answer heard = scene.ask(2, Subscribe{10});
  g_assert_false(heard.codec.has_value());
  g_assert_true(name_of(heard.url.value()) == name_of(urls.at(Codec::aac)));
  g_assert_true(turn(scene, 1) == "wanted opus aac");
  const Answer published = scene.ask(2, Publish{20, both});
  g_assert_true(published.urls.empty());
  g_assert_true(scene.push(published.url.value(), 200));
  g_assert_true(turn(scene, 2).empty());
  // Nor where the stream moves.
  g_assert_true(scene.push(offer(scene, 1, 10).at(Codec::opus), 101));
  g_assert_true(scene.told(2) == "url 10");
  // A member that knows it and offers nothing is told nothing.
  enter(scene, 3, knowing("30", Role::broadcaster, both));
  const std::string url = scene.publish(3, 30);
  g_assert_true(turn(scene, 3).empty());
  g_assert_true(scene.push(url, 300));
  g_assert_true(scene.ask(2, Subscribe{30}).code == Code::ok);
  g_assert_true(turn(scene, 3).empty());
}

void what_somebody_hears_is_wanted () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  enter(scene, 2, knowing("20", Role::audience, both));
  scene.join(3, "30");
  scene.subscribe(2, 10);
  g_assert_true(turn(scene, 1).empty());
  scene.subscribe(3, 10);
  // Not inside of the request.
  g_assert_true(scene.told(1).empty());
  g_assert_true(turn(scene, 1) == "wanted opus aac");
  g_assert_true(scene.push(urls.at(Codec::aac), 101));
  g_assert_true(scene.told(3).empty());
  // Once is enough.
  scene.subscribe(3, 10);
  g_assert_true(turn(scene, 1).empty());
  // The last one of a codec has gone: it stays for a while.
  scene.ask(3, Unsubscribe{{10}});
  g_assert_true(turn(scene, 1).empty());
  scene.pass(4'500);
  g_assert_true(scene.told(1).empty());
  scene.pass(500);
  g_assert_true(scene.told(1) == "wanted opus");
  // Nobody at all: something stays on the air.
  scene.ask(2, Leave{20});
  scene.pass(10'000);
  g_assert_true(scene.told(1).empty());
  scene.subscribe(3, 10);
  g_assert_true(turn(scene, 1) == "wanted aac");
}

void who_comes_back_in_time_changes_nothing () {
  Scene scene;
  speak(scene, 1, 10, 100);
  scene.join(2, "20");
  enter(scene, 3, knowing("30", Role::audience, both));
  scene.subscribe(3, 10);
  for (int n = 0; n < 20; n++) {
    scene.subscribe(2, 10);
    g_assert_true(turn(scene, 1) == (n == 0 ? "wanted opus aac" : ""));
    scene.ask(2, Unsubscribe{{10}});
    g_assert_true(turn(scene, 1).empty());
    scene.pass(1'000);
    g_assert_true(scene.told(1).empty());
  }
  // All in one turn is one change.
  scene.pass(5'000);
  g_assert_true(scene.told(1) == "wanted opus");
  scene.subscribe(2, 10);
  scene.ask(2, Unsubscribe{{10}});
  g_assert_true(turn(scene, 1).empty());
}

// One voice, whichever of its pushes is there.
void on_the_air_while_one_is_pushed () {
  Scene scene;
  enter(scene, 1, knowing("10", Role::broadcaster));
  scene.join(2, "20");
  const Urls urls = offer(scene, 1, 10);
  g_assert_true(scene.push(urls.at(Codec::aac), 100));
  g_assert_true(scene.told(2) == "added 10");
  g_assert_true(scene.push(urls.at(Codec::opus), 101));
  g_assert_true(scene.told(2).empty());
  g_assert_cmpuint(scene.book.totals().streams, ==, 1);
  scene.push_ends(100);
  scene.pass(4'000);
  g_assert_true(scene.told(2).empty());
  scene.push_ends(101);
  scene.pass(2'500);
  g_assert_true(scene.told(2).empty());
  g_assert_true(scene.push(urls.at(Codec::aac), 102));
  scene.pass(4'000);
  g_assert_true(scene.told(2).empty());
  scene.push_ends(102);
  scene.pass(3'000);
  g_assert_true(scene.told(2) == "removed 10");
  // By the same URL it comes again, as another stream.
  g_assert_true(scene.push(urls.at(Codec::opus), 103));
  g_assert_true(scene.told(2) == "added 10");
  // What ends it ends all of it.
  g_assert_true(scene.push(urls.at(Codec::aac), 104));
  scene.ask(1, Unpublish{10});
  g_assert_true(scene.dropped() == "push 103, push 104");
  g_assert_true(scene.told(2) == "removed 10");
  for (const auto &[codec, url] : urls)
    g_assert_false(scene.push(url, 105));
}

void the_silenced_lose_all () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  g_assert_true(scene.push(urls.at(Codec::aac), 101));
  Rule rule;
  rule.app_id = open_app;
  rule.channel = "room";
  rule.uid = 10;
  rule.join_channel = false;
  rule.publish_audio = true;
  rule.ends_at = scene.now.wall_s + 60;
  scene.take(scene.book.add_rule(rule, scene.now));
  g_assert_true(scene.dropped() == "push 100, push 101");
  for (const auto &[codec, url] : urls)
    g_assert_false(scene.push(url, 105));
}

// A URL of one codec is none of the other, and each has one session.
void each_codec_has_a_name_of_its_own () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  const std::string &opus = urls.at(Codec::opus), &aac = urls.at(Codec::aac);
  g_assert_true(name_of(opus) != name_of(aac));
  std::string crossed = aac;
  crossed.replace(crossed.find(name_of(aac)), 32, name_of(opus));
  g_assert_false(scene.push(crossed, 500));
  g_assert_true(scene.push(aac, 101));
  g_assert_true(scene.dropped().empty());
  g_assert_true(scene.push(aac, 102));
  g_assert_true(scene.dropped() == "push 101");
  // Nor may who hears the one play the other.
  scene.join(2, "20");
  std::string play = scene.subscribe(2, 10);
  g_assert_true(name_of(play) == name_of(aac));
  g_assert_true(scene.play(play, 200));
  play.replace(play.find(name_of(aac)), 32, name_of(opus));
  g_assert_false(scene.play(play, 201));
}

// The bound on sessions that push is the member's.
void pushes_count_for_the_member () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  std::uint64_t client = 101;
  while (client < 200 && scene.push(urls.at(client % 2 ? Codec::opus : Codec::aac), client))
    client++;
  g_assert_cmpuint(client, <, 130);
}

void listeners_move_with_it () {
  Scene scene;
  const Urls first = speak(scene, 1, 10, 100);
  g_assert_true(scene.push(first.at(Codec::aac), 101));
  enter(scene, 2, knowing("20", Role::audience, both));
  enter(scene, 3, knowing("30", Role::audience));
  scene.join(4, "40");
  for (const SessionId id : {2, 3, 4})
    g_assert_true(scene.play(scene.subscribe(id, 10), 200 + id));
  g_assert_true(turn(scene, 1) == "wanted opus aac");
  // New names for both: whichever comes first takes all over.
  Answer fresh = scene.ask(1, UpdateUrl{10});
  const Urls second(fresh.urls.begin(), fresh.urls.end());
  g_assert_cmpuint(second.size(), ==, 2);
  g_assert_true(turn(scene, 1) == "wanted opus aac");
  g_assert_true(scene.push(second.at(Codec::aac), 102));
  g_assert_true(scene.told(2) == "url 10 opus");
  g_assert_true(scene.told(3) == "url 10 aac");
  g_assert_true(scene.told(4) == "url 10");
  g_assert_true(name_of(scene.new_url(2)) == name_of(second.at(Codec::opus)));
  g_assert_true(scene.push(second.at(Codec::opus), 103));
  g_assert_false(scene.push(first.at(Codec::opus), 104));
  // The old ones go a moment later, and nobody is told anything.
  scene.pass(1'500);
  g_assert_true(scene.dropped() == "push 100, push 101");
  g_assert_true(scene.told(1).empty());
  scene.pass(5'000);
  g_assert_cmpuint(scene.drops().size(), ==, 3);

  // The offer changes.
  const std::string plain = scene.publish(1, 10);
  g_assert_true(turn(scene, 1).empty());
  g_assert_true(scene.push(plain, 105));
  g_assert_true(scene.told(2) == "url 10 aac");
  g_assert_true(name_of(scene.new_url(2)) == name_of(plain));
  // Who hears Opus has to bring AAC into step with it: the old names last for longer.
  scene.pass(5'500);
  g_assert_true(scene.dropped().find("push") == std::string::npos);
  scene.pass(1'000);
  g_assert_true(scene.dropped().find("push 103") != std::string::npos);
  g_assert_true(scene.ask(1, UpdateUrl{10}).urls.empty());
  const Urls third = offer(scene, 1, 10);
  g_assert_true(turn(scene, 1) == "wanted aac");
  g_assert_true(scene.push(third.at(Codec::aac), 106));
  g_assert_true(scene.told(2) == "url 10 opus");
  g_assert_true(turn(scene, 1) == "wanted opus aac");
}

// It asks again, and hears another one: the old session goes on until the new one is used.
void a_listener_learns_another_codec () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  enter(scene, 2, knowing("20", Role::audience));
  g_assert_true(scene.play(scene.subscribe(2, 10), 200));
  g_assert_true(turn(scene, 1) == "wanted opus aac");
  g_assert_true(scene.ask(2, knowing("20", Role::audience, both)).code == Code::ok);
  const Answer answer = scene.ask(2, Subscribe{10});
  g_assert_true(answer.codec == Codec::opus);
  g_assert_true(scene.dropped().empty());
  g_assert_true(scene.play(answer.url.value(), 201));
  g_assert_true(scene.dropped().empty());
  scene.pass(6'000);
  const auto drops = scene.drops();
  g_assert_cmpuint(drops.size(), ==, 1);
  g_assert_cmpuint(drops[0].client_id, ==, 200);
  g_assert_true(drops[0].stream == name_of(urls.at(Codec::aac)));
  g_assert_true(scene.told(1) == "wanted opus");
  scene.ask(2, Unsubscribe{{10}});
  g_assert_true(scene.dropped() == "play 201");
}

void whoever_rejoins_is_told_again () {
  Scene scene;
  speak(scene, 1, 10, 100);
  scene.join(2, "20");
  scene.subscribe(2, 10);
  g_assert_true(turn(scene, 1) == "wanted opus aac");
  scene.disconnect(1);
  g_assert_true(turn(scene, 1).empty());
  Join again = knowing("10", Role::broadcaster);
  again.known_speakers.emplace();
  enter(scene, 3, again);
  g_assert_true(turn(scene, 3) == "wanted opus aac");
  offer(scene, 3, 10);
  g_assert_true(turn(scene, 3) == "wanted opus aac");
  // One that doesn't know it any more is told nothing.
  scene.connect(4);
  g_assert_true(scene.code(4, rejoin_as("10", Role::broadcaster, {})) == Code::ok);
  g_assert_true(turn(scene, 4).empty());
  scene.ask(2, Unsubscribe{{10}});
  scene.pass(6'000);
  g_assert_true(scene.told(4).empty());
}

void many_are_cut_by_each_name () {
  Scene scene;
  const Urls urls = speak(scene, 1, 10, 100);
  for (SessionId id = 2; id < 90; id++) {
    enter(scene, id,
          knowing(std::to_string(100 + id), Role::audience,
                  id % 2 ? std::optional(both) : std::nullopt));
    g_assert_true(scene.play(scene.subscribe(id, 10), 1'000 + id));
  }
  scene.pass(3'000);
  scene.ask(1, Unpublish{10});
  std::set<std::string> names;
  for (const DropMedia &drop : scene.drops())
    if (drop.direction == Direction::play) {
      g_assert_cmpuint(drop.client_id, ==, 0);
      names.insert(drop.stream);
    }
  g_assert_true(names == (std::set{name_of(urls.at(Codec::aac)), name_of(urls.at(Codec::opus))}));
}

// What another gateway pulls is wanted, as long as it does.
void wanted_at_another_gateway () {
  ClusterScene all(2);
  Scene &origin = all[0], &edge = all[1];
  enter(origin, 1, knowing("10", Role::broadcaster));
  enter(edge, 2, knowing("20", Role::audience, both));
  edge.join(3, "30");
  const Urls urls = offer(origin, 1, 10);
  g_assert_true(turn(origin, 1) == "wanted opus");
  all.forget();
  g_assert_true(origin.push(urls.at(Codec::opus), 100));
  g_assert_true(edge.told(2) == "added 10");
  const Answer opus = edge.ask(2, Subscribe{10});
  g_assert_true(opus.codec == Codec::opus);
  const std::string aac = edge.subscribe(3, 10);
  g_assert_true(name_of(aac) == name_of(urls.at(Codec::aac)));
  // A subscription elsewhere isn't seen; its relay is.
  g_assert_true(turn(origin, 1).empty());
  g_assert_true(edge.play(aac, 200));
  g_assert_true(edge.relay_from.starts_with("rtmp://192.0.2.101:1935/live/" + name_of(aac)));
  g_assert_true(origin.play(edge.relay_from, 300));
  g_assert_true(turn(origin, 1) == "wanted opus aac");
  g_assert_true(edge.play(opus.url.value(), 201));
  g_assert_true(origin.play(edge.relay_from, 301));
  g_assert_true(turn(origin, 1).empty());
  origin.play_ends(300);
  all.pass(5'500);
  g_assert_true(origin.told(1) == "wanted opus");
  // It moves: both are told the codec and another URL of it.
  const Urls fresh = offer(origin, 1, 10);
  all.forget();
  g_assert_true(origin.push(fresh.at(Codec::aac), 101));
  g_assert_true(edge.told(2) == "url 10 opus");
  g_assert_true(edge.told(3) == "url 10");
  g_assert_true(name_of(edge.new_url(2)) == name_of(fresh.at(Codec::opus)));
  g_assert_true(edge.play(edge.new_url(2), 202));
  // And back to AAC alone.
  all.forget();
  g_assert_true(origin.push(origin.publish(1, 10), 102));
  g_assert_true(edge.told(2) == "url 10 aac");
  all.forget();
  origin.ask(1, Unpublish{10});
  g_assert_true(edge.told(2) == "removed 10");
}

// The media server dies: the pulls are gone, and come back within the time that a codec stays.
void a_lost_media_server_ends_pulls () {
  ClusterScene all(2);
  Scene &origin = all[0], &edge = all[1];
  const Urls urls = speak(origin, 1, 10, 100);
  edge.join(3, "30");
  const std::string aac = edge.subscribe(3, 10);
  g_assert_true(edge.play(aac, 200));
  g_assert_true(origin.play(edge.relay_from, 300));
  g_assert_true(turn(origin, 1) == "wanted opus aac");
  origin.take(origin.book.media_server_lost(origin.now));
  g_assert_true(origin.push(urls.at(Codec::opus), 101));
  g_assert_true(turn(origin, 1).empty());
  all.pass(4'000);
  g_assert_true(origin.told(1).empty());
  g_assert_true(origin.play(edge.relay_from, 301));
  all.pass(6'000);
  // Opus, which nobody hears, has gone; AAC never did.
  g_assert_true(origin.told(1) == "wanted aac");
}

}  // namespace

static const agora::Suite suite("codecs", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"choice", the_first_that_both_have},
      {"unknown", the_others_meet_nothing_new},
      {"wanted", what_somebody_hears_is_wanted},
      {"flapping", who_comes_back_in_time_changes_nothing},
      {"on-the-air", on_the_air_while_one_is_pushed},
      {"silenced", the_silenced_lose_all},
      {"names", each_codec_has_a_name_of_its_own},
      {"pushes", pushes_count_for_the_member},
      {"moves", listeners_move_with_it},
      {"learns", a_listener_learns_another_codec},
      {"rejoin", whoever_rejoins_is_told_again},
      {"many", many_are_cut_by_each_name},
      {"elsewhere", wanted_at_another_gateway},
      {"media-server-lost", a_lost_media_server_ends_pulls},
  };
  for (const auto &[name, test] : tests)
    g_test_add_func((std::string("/codecs/") + name).c_str(), test);
});

}  // namespace codecs_test
