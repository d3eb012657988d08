// SPDX-License-Identifier: LGPL-2.1-or-later
// How a gateway finds out who is in a channel elsewhere: how often it asks the store, for whom, and
// what becomes of those who wait for that.
#include "tests/suite.hpp"
#include "tests/unit/gateway/listing-scene.hpp"

namespace looks_test {

using namespace agora::gateway;
using namespace agora::protocol;
using namespace agora::gateway::listing;
namespace cluster = agora::gateway::cluster;

namespace {

std::vector<Answer> answers_of (const Scene &scene) {
  std::vector<Answer> answers;
  for (const Send &send : scene.sends())
    if (const auto *answer = std::get_if<Answer>(&send.message))
      answers.push_back(*answer);
  return answers;
}

// Coming again for the list doesn't make the store work for it again.
void looks_are_few () {
  ClusterScene all(2, shown());
  Scene &a = all[0], &b = all[1];
  b.join(1, "7");
  const auto &looks = all.asked[cluster::OperationKind::members];
  for (SessionId id = 8; id < 48; id++) {
    enter(a, id, named(static_cast<Uid>(id)));
    same(list_of(a.ask(id, Members{})), "7");
    // Who asks again is the only one still.
    same(list_of(a.ask(id, Members{})), "7");
    g_assert_true(a.code(id, Leave{static_cast<Uid>(id)}) == Code::ok);
  }
  g_assert_cmpuint(looks, ==, 1);
  // Nobody looks on for those who have gone.
  all.pass(10'000);
  g_assert_cmpuint(looks, ==, 1);
  // A look that is on its way is everybody's.
  all.held = cluster::OperationKind::members;
  for (SessionId id = 50; id < 70; id++) {
    enter(a, id, named(static_cast<Uid>(id)));
    a.say(id, Members{});
    a.say(id, Leave{static_cast<Uid>(id)});
  }
  g_assert_cmpuint(looks, ==, 2);
  enter(a, 70, named(70));
  a.say(70, Members{});
  all.forget();
  all.let_go();
  g_assert_cmpuint(answers_of(a).size(), ==, 1);
  same(list_of(answers_of(a)[0]), "7");
}

// Of many channels it looks at few in a second, and waits for few at a time.
void looks_of_many_channels () {
  Looks looks;
  const agora::TokenBucket answers{100, 100};
  std::int64_t now = 1'000;
  for (int n = 0; n < 2'000; n++)
    looks.want(std::to_string(n), answers, now);
  std::vector<std::string> on_their_way;
  while (const auto key = looks.take(now))
    on_their_way.push_back(*key);
  g_assert_cmpuint(on_their_way.size(), ==, 8);
  g_assert_false(looks.next_ms(now).has_value());
  // What is found is paid for.
  Looks::Found crowd;
  for (Uid uid = 1; uid <= 20'000; uid++)
    crowd[uid] = {"", Role::audience, 0};
  for (const std::string &key : on_their_way)
    g_assert_cmpuint(looks.answered(key, crowd, now).size(), ==, crowd.size());
  g_assert_false(looks.take(now).has_value());
  now = looks.next_ms(now).value();
  g_assert_cmpint(now, >=, 10'000);
  g_assert_true(looks.take(now).has_value());
  // What nobody wants any more is kept for a while, and not all of it.
  for (int n = 0; n < 2'000; n++)
    looks.unwant(std::to_string(n), now);
  g_assert_cmpuint(looks.size(), <=, 2'000 - 6);
  looks.want("7", answers, now);
  g_assert_nonnull(looks.found("7"));
  now += 100'000;
  looks.unwant("7", now);
  g_assert_cmpuint(looks.size(), ==, 2);
}

// What they cost counts when they are answered.
void asked_before_the_first_look () {
  ClusterScene all(2, shown());
  Scene &a = all[0];
  constexpr Uid many = 1'000;
  for (Uid uid = 1; uid <= many; uid++) {
    enter(a, uid, named(uid));
    if (uid % 100 == 0)
      all.pass(1'000);
  }
  all.held = cluster::OperationKind::members;
  for (SessionId id = 1; id <= many; id++)
    a.say(id, Members{});
  all.forget();
  all.let_go();
  std::size_t given = 0;
  for (const Answer &answer : answers_of(a))
    if (answer.code == Code::ok)
      given++;
    else
      g_assert_true(answer.code == Code::too_many);
  g_assert_cmpuint(answers_of(a).size(), ==, many);
  g_assert_cmpuint(given, >=, 1);
  g_assert_cmpuint(given, <=, 12);
  // Who was refused isn't told of changes either.
  all.held.reset();
  all.pass(1'000);
  a.ask(many, Leave{many});
  g_assert_cmpuint(events_of(a), <=, given);
  g_assert_cmpuint(events_of(a), >=, given - 1);
}

// Who asks again meanwhile is answered as often, after all others have been once; so often, and no
// more.
void asked_again_before_the_first_look () {
  ClusterScene all(2, shown(500));
  Scene &a = all[0];
  all[1].join(9, "9");
  for (const SessionId id : {1, 2, 3})
    enter(a, id, named(static_cast<Uid>(id)));
  all.held = cluster::OperationKind::members;
  std::string refused;
  for (int n = 1; n <= 20; n++) {
    a.say(1, Members{});
    for (const Answer &answer : answers_of(a))
      refused += std::to_string(n) + (answer.code == Code::too_many ? " many," : " ?,");
    all.forget();
    // As often as one may ask at all.
    a.now.mono_ms += 1'000;
    a.say(1, Ping{});
    all.forget();
  }
  same(refused.substr(0, 14), "6 many,7 many,");
  a.say(2, Members{});
  a.say(3, Members{});
  a.say(3, Members{});
  g_assert_cmpuint(answers_of(a).size(), ==, 0);
  all.held.reset();
  all.let_go();
  g_assert_cmpuint(answers_of(a).size(), ==, 8);
  for (const Answer &answer : answers_of(a))
    g_assert_cmpuint(answer.list.value().members.size(), ==, 3);
  std::set<SessionId> first;
  for (std::size_t n = 0; n < 3; n++)
    first.insert(a.sends().at(n).to.at(0));
  g_assert_cmpuint(first.size(), ==, 3);
  enter(a, 4, named(4));
  same(a.told(1), "joined 4");
  // Whatever becomes of the member, each one is answered.
  ClusterScene other(2, shown());
  Scene &b = other[0];
  enter(b, 1, named(7));
  other.held = cluster::OperationKind::members;
  b.say(1, Members{});
  b.say(1, Members{});
  other.forget();
  b.say(1, Leave{7});
  g_assert_cmpuint(answers_of(b).size(), ==, 3);
  g_assert_true(answers_of(b)[1].code == Code::not_joined &&
                answers_of(b)[2].code == Code::not_joined);
}

// Of one that goes or comes while a look is on its way, that knows less.
void a_look_that_is_late () {
  ClusterScene all(2, shown());
  Scene &a = all[0], &b = all[1];
  enter(a, 1, named(7));
  enter(a, 2, named(8));
  enter(b, 3, named(9));
  same(list_of(a.ask(1, Members{})), "8, 9");
  all.held = cluster::OperationKind::members;
  all.pass(2'500);
  // To the other gateway.
  Join again = named(8);
  again.known_speakers.emplace();
  enter(b, 4, again);
  // From there, and away.
  again = named(9);
  again.known_speakers.emplace();
  enter(a, 5, again);
  a.ask(5, Leave{9});
  same(a.told(1), "left 9");
  all.held.reset();
  all.forget();
  all.let_go();
  same(a.told(1), "");
  all.pass(5'000);
  same(a.told(1), "");
}

// By the store's own word: no look is needed.
void told_at_once () {
  const std::string topic(cluster::members_prefix);
  ClusterScene all(3, shown());
  Scene &a = all[0], &b = all[1], &c = all[2];
  enter(a, 1, named(7));
  enter(b, 2, named(8, "Bob"));
  g_assert_false(all.hears(0, topic));
  same(list_of(a.ask(1, Members{})), "8 Bob");
  g_assert_true(all.hears(0, topic));
  g_assert_false(all.hears(1, topic));
  const auto &looks = all.asked[cluster::OperationKind::members];
  const std::size_t before = looks;
  enter(b, 3, named(9, "Cid"));
  same(a.told(1), "joined 9 Cid");
  all.pass(500);
  // From one to the other, by another name.
  b.disconnect(3);
  Join again = named(9, "Cyd");
  again.known_speakers.emplace();
  enter(c, 4, again);
  same(a.told(1), "joined 9 Cyd");
  all.pass(500);
  c.ask(4, Leave{9});
  same(a.told(1), "left 9");
  // Here and away again.
  all.pass(500);
  Join moved = named(8, "Bob");
  moved.known_speakers.emplace();
  b.disconnect(2);
  enter(a, 5, moved);
  a.disconnect(5);
  enter(b, 6, moved);
  all.forget();
  b.ask(6, Leave{8});
  same(a.told(1), "left 8");
  g_assert_cmpuint(looks, ==, before);
  all.pass(3'000);
  same(a.told(1), "");
  // Of what is in no list nothing is published: mutes, what one hears.
  enter(b, 7, named(10, "", Role::broadcaster));
  enter(c, 8, named(11));
  g_assert_true(b.push(b.publish(7, 10), 100));
  all.pass(1'000);
  const std::size_t many = all.published(topic);
  c.subscribe(8, 10);
  b.ask(7, MuteLocal{10, Target::audio, true});
  all.pass(1'000);
  g_assert_cmpuint(all.published(topic), ==, many);
  // What is no message is none, and who doesn't watch hears no more of it.
  a.take(a.book.heard(topic + cluster::channel_key(open_app, "room"), "in 5 x", a.now));
  same(a.told(1), "");
  a.ask(1, Leave{7});
  g_assert_false(all.hears(0, topic));
  enter(a, 9, named(7));
  g_assert_true(a.code(9, Members{}) == Code::ok);
  g_assert_true(all.hears(0, topic));
  a.take(a.book.set_show_members({}, a.now));
  g_assert_false(all.hears(0, topic));
}

// Those who come and go elsewhere are told of within the same bounds as those here.
void a_storm_elsewhere () {
  constexpr SessionId watchers = 100;
  ClusterScene all(2, shown(5'000));
  Scene &a = all[0], &b = all[1];
  for (SessionId id = 1; id <= watchers; id++) {
    enter(a, id, named(static_cast<Uid>(id)));
    while (a.code(id, Members{}) != Code::ok)
      all.pass(1'000);
  }
  all.pass(20'000);
  all.forget();
  const std::size_t looks = all.asked[cluster::OperationKind::members];
  for (SessionId id = 1'001; id <= 4'000; id++) {
    enter(b, id, named(static_cast<Uid>(id), "One of many"));
    if (id % 2)
      b.ask(id, Leave{static_cast<Uid>(id)});
  }
  g_assert_cmpuint(events_of(a), <=, 5'000 / 20 + watchers);
  all.pass(1'000);
  g_assert_cmpuint(events_of(a), <=, 5'000 / 5 + 2 * watchers);
  g_assert_cmpuint(all.asked[cluster::OperationKind::members] - looks, <=, 1);
  // Those who stay are told of by and by, until the list is full.
  all.pass(200'000);
  const Answer answer = a.ask(1, Members{});
  g_assert_cmpuint(answer.list->members.size(), ==, max_listed);
  g_assert_cmpint(answer.list->more, ==, 1'500 + watchers - 1 - max_listed);
}

// A look that is on its way may know less, or more, than what was told meanwhile.
void told_during_a_look () {
  ClusterScene all(2, shown());
  Scene &a = all[0], &b = all[1];
  enter(a, 1, named(7));
  enter(b, 2, named(8));
  same(list_of(a.ask(1, Members{})), "8");
  all.held = cluster::OperationKind::members;
  all.pass(2'500);
  enter(b, 3, named(9));
  same(a.told(1), "joined 9");
  all.pass(500);
  b.ask(2, Leave{8});
  same(a.told(1), "left 8");
  all.pass(500);
  all.held.reset();
  all.let_go();
  same(a.told(1), "");
  all.pass(5'000);
  same(a.told(1), "");
  same(list_of(a.ask(1, Members{})), "9");
}

// Why one has no answer to what it asked before the first look.
void why_there_is_no_list () {
  ClusterScene all(1, shown());
  Scene &a = all[0];
  all.held = cluster::OperationKind::members;
  enter(a, 1, named(7));
  a.say(1, Members{});
  a.say(1, named(7));
  g_assert_cmpuint(answers_of(a).size(), ==, 2);
  g_assert_true(answers_of(a)[0].code == Code::bad_order);
  a.say(1, Members{});
  a.take(a.book.set_show_members({}, a.now));
  g_assert_cmpuint(answers_of(a).size(), ==, 1);
  g_assert_true(answers_of(a)[0].code == Code::not_permitted);
  all.forget();
  all.let_go();
  g_assert_cmpuint(answers_of(a).size(), ==, 0);
}

// Who speaks comes first, and who came first, wherever that is.
void in_one_order () {
  ClusterScene all(2, shown());
  Scene &a = all[0], &b = all[1];
  enter(b, 1, named(9'001, "", Role::broadcaster));
  enter(b, 2, named(9'002));
  for (Uid uid = 1; uid <= 1'200; uid++) {
    if (uid % 100 == 0)
      all.pass(1'000);
    enter(a, uid + 10, named(uid));
  }
  const Answer answer = a.ask(11, Members{});
  g_assert_cmpuint(answer.list->members.back().uid, ==, 9'002);
  g_assert_cmpuint((answer.list->members.end() - 2)->uid, ==, 9'001);
}

// From when the operator shows an app's members, or doesn't any more, the other gateways know their
// names, or don't. Thousands are told of by and by.
void shown_since_a_reload () {
  Config config = shown();
  config.show_members = {"other"};
  ClusterScene all(2, config);
  Scene &a = all[0], &b = all[1];
  b.take(b.book.set_show_members({"*"}, b.now));
  for (Uid uid = 1; uid <= 300; uid++)
    enter(a, uid, named(uid, "Ann"));
  enter(b, 1, named(1'000));
  const std::string first = list_of(b.ask(1, Members{}));
  same(first.substr(0, 4), "1, 2");
  all.pass(1'000);
  all.held = cluster::OperationKind::assert_member;
  const std::size_t before = all.asked[*all.held];
  a.take(a.book.set_show_members({"other", open_app}, a.now));
  g_assert_cmpuint(all.asked[*all.held] - before, ==, 256);
  all.let_go();
  g_assert_cmpuint(all.asked[*all.held] - before, ==, 300);
  all.held.reset();
  all.let_go();
  all.pass(5'000);
  const auto has = [&] (const char *text) { return b.told(1).find(text) != std::string::npos; };
  g_assert_true(has(" Ann, joined "));
  // What stays the same isn't told again.
  a.take(a.book.set_show_members({"*"}, a.now));
  g_assert_cmpuint(all.asked[cluster::OperationKind::assert_member] - before, ==, 300);
  a.take(a.book.set_show_members({}, a.now));
  all.pass(5'000);
  g_assert_true(has("joined ") && !has("Ann"));
}

}  // namespace

static const agora::Suite suite("looks", [] {
  g_test_add_func("/looks/looks", looks_are_few);
  g_test_add_func("/looks/many-looks", looks_of_many_channels);
  g_test_add_func("/looks/waiting", asked_before_the_first_look);
  g_test_add_func("/looks/waiting-again", asked_again_before_the_first_look);
  g_test_add_func("/looks/late-look", a_look_that_is_late);
  g_test_add_func("/looks/at-once", told_at_once);
  g_test_add_func("/looks/storm", a_storm_elsewhere);
  g_test_add_func("/looks/during-a-look", told_during_a_look);
  g_test_add_func("/looks/no-list", why_there_is_no_list);
  g_test_add_func("/looks/order", in_one_order);
  g_test_add_func("/looks/reload", shown_since_a_reload);
});

}  // namespace looks_test
