// SPDX-License-Identifier: LGPL-2.1-or-later
// Voices that are for a few: who is told of them, who may play them, and what of that outlasts a
// change of those few, a rejoin, or a move to another gateway.
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace talk_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

Join knowing (const std::string &uid, Role role = Role::audience) {
  Join join = join_as(uid, role);
  join.features = Features{feature_talk};
  return join;
}

// 7 is a producer, 8 and 9 are hosts, of whom 8 knows of talkback, 10 is anybody.
void gather (Scene &scene) {
  scene.connect(1);
  const Answer hello = scene.ask(1, knowing("7", Role::broadcaster));
  g_assert_true(hello.features == Features{feature_talk});
  scene.connect(2);
  scene.ask(2, knowing("8", Role::broadcaster));
  scene.join(3, "9", Role::broadcaster);
  scene.join(4, "10");
}

std::string talk (Scene &scene, Addressees to) {
  const Answer answer = scene.ask(1, Publish{7, {}, std::move(to)});
  g_assert_true(answer.code == Code::ok);
  return answer.url.value();
}

// Whether that socket was told in the last call that the stream is for a few.
bool told_as_talk (const Scene &scene, SessionId id) {
  for (const Send &send : scene.sends())
    if (const auto *event = std::get_if<Event>(&send.message);
        event && event->kind == EventKind::stream_added &&
        std::find(send.to.begin(), send.to.end(), id) != send.to.end())
      return event->talk;
  return false;
}

void the_addressed_alone () {
  Scene scene;
  gather(scene);
  const std::string url = talk(scene, {8, 9});
  g_assert_true(scene.push(url, 100));
  same(scene.told(2), "added 7");
  same(scene.told(3), "added 7");
  same(scene.told(4), "");
  // Whoever doesn't know of it hears it as any other.
  g_assert_true(told_as_talk(scene, 2));
  g_assert_false(told_as_talk(scene, 3));
  same(scene.noticed(), "on");

  // To all others there is no such stream: what they are answered is what they would be without.
  const Answer refused = scene.ask(4, Subscribe{7});
  g_assert_true(refused.code == Code::not_publishing);
  same(refused.reason, "uid 7 is not publishing");
  g_assert_true(scene.code(4, Mute{7, Target::audio, true}) == Code::bad_order);
  const std::string played = scene.subscribe(2, 7);
  g_assert_true(scene.play(played, 200));
  scene.ask(1, MuteLocal{7, Target::audio, true});
  same(scene.told(2), "audio 7 muted");
  same(scene.told(4), "");
  // Who joins now.
  scene.join(5, "11");
  same(scene.told(5), "");
  scene.connect(6);
  scene.disconnect(3);
  scene.ask(6, rejoin_as("9", Role::broadcaster, {7}));
  same(scene.told(6), "added 7, audio 7 muted");
  scene.connect(7);
  scene.disconnect(4);
  scene.ask(7, rejoin_as("10", Role::audience, {7}));
  same(scene.told(7), "removed 7");
  scene.ask(1, Unpublish{7});
  same(scene.told(2), "removed 7");
  same(scene.told(6), "removed 7");
  same(scene.told(5) + scene.told(7), "");
  same(scene.dropped(), "play 200, push 100");
}

void a_mute_before_it_is_theirs_alone () {
  Scene scene;
  gather(scene);
  const std::string url = talk(scene, {8});
  scene.ask(1, MuteLocal{7, Target::audio, true});
  same(scene.told(4), "");
  same(scene.told(2), "audio 7 muted");
  g_assert_true(scene.push(url, 100));
  same(scene.told(2), "added 7, audio 7 muted");
  same(scene.told(3) + scene.told(4), "");
}

void for_others_than_it_was () {
  Scene scene;
  gather(scene);
  g_assert_true(scene.push(talk(scene, {}), 100));
  scene.ask(1, MuteLocal{7, Target::audio, true});
  std::string played[5];
  for (const SessionId id : {2, 3, 4}) {
    played[id] = scene.subscribe(id, 7);
    g_assert_true(scene.play(played[id], 200 + id));
  }
  // Those who stay are told where it goes on; the others lose it before they could hear a word.
  const std::string url = talk(scene, {8});
  same(scene.told(2) + scene.told(3) + scene.told(4), "");
  g_assert_true(scene.push(url, 101));
  same(scene.told(2), "url 7");
  same(scene.told(3), "removed 7");
  same(scene.told(4), "removed 7");
  for (const char *lost : {"play 203", "play 204"})
    g_assert_true(scene.dropped().find(lost) != std::string::npos);
  g_assert_true(scene.dropped().find("play 202") == std::string::npos);
  g_assert_false(scene.play(played[4], 300));
  g_assert_false(
      scene.play(url.substr(0, url.find('?')) + played[4].substr(played[4].find('?')), 301));
  g_assert_true(scene.code(3, Subscribe{7}) == Code::not_publishing);

  // Another one, whom it comes to muted as it is.
  g_assert_true(scene.push(talk(scene, {8, 10}), 102));
  same(scene.told(2), "url 7");
  same(scene.told(3), "");
  same(scene.told(4), "added 7, audio 7 muted");
  // And all.
  g_assert_true(scene.push(talk(scene, {}), 103));
  same(scene.told(2), "url 7");
  same(scene.told(3), "added 7, audio 7 muted");
  same(scene.told(4), "");
  scene.subscribe(3, 7);
}

void the_same_after_a_new_url () {
  Scene scene;
  gather(scene);
  g_assert_true(scene.push(talk(scene, {8}), 100));
  const Answer fresh = scene.ask(1, UpdateUrl{7});
  g_assert_true(scene.push(fresh.url.value(), 101));
  same(scene.told(2) + scene.told(3) + scene.told(4), "");
  g_assert_true(scene.code(4, Subscribe{7}) == Code::not_publishing);
  // A push that was lost for too long is told anew, to the same.
  scene.push_ends(101);
  scene.pass(4'000);
  same(scene.told(2), "removed 7");
  same(scene.told(4), "");
  g_assert_true(scene.push(fresh.url.value(), 102));
  same(scene.told(2), "added 7");
  same(scene.told(4), "");
}

void who_comes_back_keeps_it () {
  Scene scene;
  gather(scene);
  const std::string url = talk(scene, {8});
  g_assert_true(scene.push(url, 100));
  scene.disconnect(1);
  scene.connect(5);
  Join again = rejoin_as("7", Role::broadcaster, {});
  again.features = Features{feature_talk};
  g_assert_true(scene.code(5, again) == Code::ok);
  g_assert_true(scene.push(url, 101));
  same(scene.told(2) + scene.told(3) + scene.told(4), "");
  g_assert_true(scene.code(4, Subscribe{7}) == Code::not_publishing);
}

// However often it has moved: who is left out must not hear on until it may move again.
void made_private_at_any_time () {
  Scene scene;
  gather(scene);
  unsigned client = 100;
  g_assert_true(scene.push(talk(scene, {}), client));
  scene.play(scene.subscribe(2, 7), 200);
  for (int round = 0; round < 5; round++) {
    g_assert_true(scene.push(talk(scene, {}), ++client));
    for (;;) {
      const Answer answer = scene.ask(1, Publish{7});
      if (answer.code == Code::too_many)
        break;
      g_assert_true(scene.push(answer.url.value(), ++client));
    }
    g_assert_true(scene.push(talk(scene, {8, 9}), ++client));
    g_assert_true(scene.push(talk(scene, {8}), ++client));
    g_assert_true(scene.code(4, Subscribe{7}) == Code::not_publishing);
    // The same again, others, and more of them are counted.
    for (const Addressees &to : {Addressees{8}, Addressees{9}, Addressees{8, 9}, Addressees{}})
      g_assert_true(scene.code(1, Publish{7, {}, to}) == Code::too_many);
    scene.pass(10'000);
  }
}

void who_may () {
  Scene scene;
  gather(scene);
  // As for any publishing.
  g_assert_true(scene.code(4, Publish{10, {}, {8}}) == Code::not_permitted);
  // What is meant for a few must not go to all.
  const Answer refused = scene.ask(3, Publish{9, {}, {8}});
  g_assert_true(refused.code == Code::bad_request);
  g_assert_true(refused.reason.find("talk") != std::string::npos);
  g_assert_true(scene.code(3, Publish{9}) == Code::ok);
}

void no_mix_hears_it () {
  Scene scene;
  gather(scene);
  scene.connect(5, "192.0.2.7", "gw.example", Entrance::web);
  g_assert_true(scene.code(5, join_as("11")) == Code::ok);
  scene.connect(6, "", "", Entrance::mix);
  const Answer mix = scene.ask(6, knowing(""));
  g_assert_true(mix.code == Code::ok && mix.features == Features{});
  g_assert_true(scene.push(talk(scene, {8, mix.uid.value()}), 100));
  same(scene.told(6), "");
  g_assert_true(scene.code(6, Subscribe{7}) == Code::not_publishing);
  g_assert_true(scene.push(talk(scene, {}), 101));
  same(scene.told(6), "added 7");
  scene.subscribe(6, 7);
  g_assert_true(scene.push(talk(scene, {8}), 102));
  same(scene.told(6), "removed 7");
}

void the_operator_sees_it () {
  Scene scene;
  gather(scene);
  const auto talks = [&] {
    bool talk = false;
    scene.book.each_member(true, [&] (const LiveMember &member) {
      talk = member.talk;
      return true;
    });
    return talk;
  };
  g_assert_true(scene.push(talk(scene, {8}), 100));
  g_assert_true(talks());
  g_assert_true(scene.push(talk(scene, {}), 101));
  g_assert_false(talks());
}

void at_another_gateway () {
  ClusterScene all(2);
  Scene &a = all[0], &b = all[1];
  a.connect(1);
  a.ask(1, knowing("7", Role::broadcaster));
  b.connect(2);
  b.ask(2, knowing("8"));
  b.join(3, "9");
  all.forget();
  g_assert_true(a.push(talk(a, {8}), 100));
  same(b.told(2), "added 7");
  g_assert_true(told_as_talk(b, 2));
  same(b.told(3), "");
  g_assert_true(b.code(3, Subscribe{7}) == Code::not_publishing);
  const std::string played = b.subscribe(2, 7);
  g_assert_true(b.play(played, 200));
  b.join(4, "10");
  same(b.told(4), "");

  // For all, and for another one alone.
  g_assert_true(a.push(talk(a, {}), 101));
  same(b.told(2), "url 7");
  same(b.told(3), "added 7");
  const std::string other = b.subscribe(3, 7);
  g_assert_true(b.play(other, 201));
  g_assert_true(a.play(b.relay_from, 300));
  g_assert_true(b.play(b.subscribe(2, 7), 202));
  all.forget();
  g_assert_true(a.push(talk(a, {9}), 102));
  // Whatever that gateway makes of it: what is still pushed of what was for all, it has no more.
  g_assert_true(a.dropped().find("play 300") != std::string::npos);
  same(b.told(2), "removed 7");
  same(b.told(3), "url 7");
  same(b.told(4), "removed 7");
  g_assert_true(b.dropped().find("play 202") != std::string::npos);
  g_assert_true(b.dropped().find("play 201") == std::string::npos);
  g_assert_true(b.code(2, Subscribe{7}) == Code::not_publishing);

  // A gateway that nobody of the channel was at learns it with all else.
  b.disconnect(2);
  b.connect(5);
  g_assert_true(b.code(5, rejoin_as("8", Role::audience, {7})) == Code::ok);
  same(b.told(5), "removed 7");
}

// What a listener had at one gateway it doesn't get at another, once it isn't meant for it.
void a_listener_moves () {
  ClusterScene all(2);
  Scene &a = all[0], &b = all[1];
  a.connect(1);
  a.ask(1, knowing("7", Role::broadcaster));
  b.join(2, "8");
  g_assert_true(a.push(talk(a, {8}), 100));
  b.subscribe(2, 7);
  all.pass(500);
  b.disconnect(2);
  a.connect(3);
  a.ask(3, rejoin_as("8", Role::audience, {7}));
  same(a.told(3), "added 7, url 7");
  all.pass(500);
  a.disconnect(3);
  g_assert_true(a.push(talk(a, {9}), 101));
  b.connect(4);
  b.ask(4, rejoin_as("8", Role::audience, {7}));
  same(b.told(4), "removed 7");
  g_assert_true(b.code(4, Mute{7, Target::audio, true}) == Code::bad_order);
}

}  // namespace

static const agora::Suite suite("talk", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"addressed", the_addressed_alone},
      {"mute-before", a_mute_before_it_is_theirs_alone},
      {"others", for_others_than_it_was},
      {"new-url", the_same_after_a_new_url},
      {"rejoin", who_comes_back_keeps_it},
      {"at-any-time", made_private_at_any_time},
      {"who-may", who_may},
      {"mix", no_mix_hears_it},
      {"operator", the_operator_sees_it},
      {"elsewhere", at_another_gateway},
      {"listener-moves", a_listener_moves},
  };
  for (const auto &[name, test] : tests)
    g_test_add_func((std::string("/talk/") + name).c_str(), test);
});

}  // namespace talk_test
