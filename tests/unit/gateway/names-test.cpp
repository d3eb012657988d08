// SPDX-License-Identifier: LGPL-2.1-or-later
// The names of those who speak: who is told them, when, and of which gateway's members.
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace names_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

Join named (const std::string &uid, const std::string &name, Role role = Role::broadcaster) {
  Join join = join_as(uid, role);
  join.features = Features{feature_names};
  join.name = name;
  return join;
}

Join again (const std::string &uid, const std::string &name, std::vector<Uid> known = {}) {
  Join join = named(uid, name);
  join.known_speakers = std::move(known);
  return join;
}

void with_the_stream () {
  Scene scene;
  scene.connect(1);
  g_assert_true(scene.ask(1, named("7", "Ann")).features == Features{feature_names});
  scene.connect(2);
  scene.ask(2, named("8", "", Role::audience));
  // One that doesn't know of names meets none.
  scene.join(3, "9");
  same(scene.told(2) + scene.told(3), "");
  g_assert_true(scene.push(scene.publish(1, 7), 100));
  same(scene.told(2), "named 7 Ann, added 7");
  same(scene.told(3), "added 7");
  scene.connect(4);
  scene.ask(4, named("10", "Dan", Role::audience));
  same(scene.told(4), "named 7 Ann, added 7");
  // Back with another name, or with none: as with a mute, nothing else has changed.
  scene.disconnect(1);
  scene.connect(5);
  scene.ask(5, again("7", "Ann B."));
  same(scene.told(2), "named 7 Ann B.");
  same(scene.told(3), "");
  scene.disconnect(5);
  scene.connect(6);
  scene.ask(6, again("7", ""));
  same(scene.told(2), "named 7 ");
  // Who only listens has a name to the operator alone.
  std::string names;
  scene.book.each_member(false, [&] (const LiveMember &member) {
    names += member.name;
    return true;
  });
  same(names, "Dan");
}

// A name is told to those who are told of the stream.
void of_a_talkback () {
  Scene scene;
  scene.connect(1);
  Join join = named("7", "Ann");
  join.features->emplace_back(feature_talk);
  scene.ask(1, join);
  for (const SessionId id : {2, 3}) {
    scene.connect(id);
    scene.ask(id, named(std::to_string(id + 6), "", Role::audience));
  }
  g_assert_true(scene.push(scene.ask(1, Publish{7, {}, {8}}).url.value(), 100));
  same(scene.told(2), "named 7 Ann, added 7");
  same(scene.told(3), "");
  g_assert_true(scene.push(scene.ask(1, Publish{7}).url.value(), 101));
  same(scene.told(2), "");
  same(scene.told(3), "named 7 Ann, added 7");
}

void at_another_gateway () {
  ClusterScene all(2);
  Scene &a = all[0], &b = all[1];
  a.connect(1);
  a.ask(1, named("7", "Ann | \xe2\x82\xac"));
  b.connect(2);
  b.ask(2, named("8", "", Role::audience));
  all.forget();
  g_assert_true(a.push(a.publish(1, 7), 100));
  same(b.told(2), "named 7 Ann | \xe2\x82\xac, added 7");
  b.connect(3);
  b.ask(3, named("9", "", Role::audience));
  same(b.told(3), "named 7 Ann | \xe2\x82\xac, added 7");
  a.disconnect(1);
  all.forget();
  a.connect(4);
  a.ask(4, again("7", "Bob"));
  same(b.told(2), "named 7 Bob");
}

// Joining again and again by another one is no flood, here or elsewhere.
void renamed_in_haste () {
  Config config = plain_config();
  config.limits.request_burst = 1'000;
  ClusterScene all(2, config);
  Scene &a = all[0], &b = all[1];
  a.connect(1);
  a.ask(1, named("7", "Ann"));
  b.connect(2);
  b.ask(2, named("8", "", Role::audience));
  g_assert_true(a.push(a.publish(1, 7), 100));
  all.pass(20'000);
  const auto asked = [&] (cluster::OperationKind kind) { return all.asked[kind]; };
  const std::size_t speaks = asked(cluster::OperationKind::speak);
  const std::size_t asserts = asked(cluster::OperationKind::assert_member);
  std::size_t told = 0;
  const auto count = [&] {
    for (const Send &send : b.sends())
      if (const auto *event = std::get_if<Event>(&send.message))
        told += event->kind == EventKind::member_named ? 1 : 0;
  };
  for (int n = 0; n < 100; n++) {
    all.forget();
    g_assert_true(a.code(1, named("7", "Ann " + std::to_string(n))) == Code::ok);
    count();
  }
  g_assert_cmpuint(told, <=, 9);
  g_assert_cmpuint(asked(cluster::OperationKind::speak) - speaks, <=, 9);
  g_assert_cmpuint(asked(cluster::OperationKind::assert_member) - asserts, <=, 2);
  // The last one counts.
  all.pass(2'000);
  same(b.told(2), "named 7 Ann 99");
  g_assert_cmpuint(asked(cluster::OperationKind::assert_member) - asserts, <=, 3);
}

}  // namespace

static const agora::Suite suite("names", [] {
  g_test_add_func("/names/with-the-stream", with_the_stream);
  g_test_add_func("/names/talkback", of_a_talkback);
  g_test_add_func("/names/elsewhere", at_another_gateway);
  g_test_add_func("/names/haste", renamed_in_haste);
});

}  // namespace names_test
