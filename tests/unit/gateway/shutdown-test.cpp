// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is kept out, and what members hear when the media server or the gateway comes to its end.
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace shutdown_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

void addresses_count_by_network () {
  Config config = plain_config();
  config.limits.sockets_per_address = 2;
  Scene scene(std::move(config));
  const auto opens = [&scene] (SessionId id, const char *address) {
    scene.last = scene.book.connected(id, address, "gateway", scene.now);
    return scene.closes().empty();
  };
  g_assert_true(opens(1, "2001:db8:1:2::1"));
  g_assert_true(opens(2, "2001:db8:1:2:ffff::2%eth0"));
  g_assert_false(opens(3, "2001:db8:1:2::3"));
  g_assert_true(opens(4, "2001:db8:1:3::3"));
  g_assert_true(opens(5, "192.0.2.1"));
  g_assert_true(opens(6, "::ffff:192.0.2.1"));
  g_assert_false(opens(7, "192.0.2.1"));
  g_assert_true(opens(8, "192.0.2.2"));
  // Whoever goes makes room in the same network.
  scene.last = scene.book.disconnected(1, scene.now);
  g_assert_true(opens(9, "2001:db8:1:2::3"));
  g_assert_false(opens(10, "2001:db8:1:2::4"));
}

void lost_service_is_told () {
  Scene scene;
  scene.join(1, "10");
  scene.join(2, "20");
  scene.disconnect(2);
  scene.connect(3);
  scene.last = scene.book.service_lost(scene.now);
  g_assert_true(scene.told(1) == "error 501");
  g_assert_cmpuint(scene.sends().at(0).to.size(), ==, 1);
  // Once; and nobody gets in meanwhile, not even who was there.
  scene.last = scene.book.service_lost(scene.now);
  g_assert_cmpuint(scene.last.size(), ==, 0);
  g_assert_true(scene.code(3, join_as("30")) == Code::service_lost);
  g_assert_true(scene.code(3, join_as("20")) == Code::service_lost);
  scene.book.service_back();
  g_assert_true(scene.code(3, join_as("20")) == Code::ok);
}

void drained_in_slices () {
  Scene scene;
  scene.on_air(1, 10, 100);
  for (SessionId id = 2; id <= 40; id++)
    scene.join(id, std::to_string(id * 10));
  const std::string play = scene.subscribe(2, 10);
  scene.connect(50);
  scene.last = scene.book.drain(4'000, scene.now);
  g_assert_cmpuint(scene.closes().size(), ==, 0);
  std::set<SessionId> told;
  const auto collect = [&] {
    std::size_t count = 0;
    for (const Send &send : scene.sends())
      if (std::holds_alternative<ErrorEvent>(send.message)) {
        count += send.to.size();
        told.insert(send.to.begin(), send.to.end());
      }
    return count;
  };
  g_assert_cmpuint(collect(), ==, 4);
  scene.pass(1'000);
  g_assert_cmpuint(told.size() + collect(), <, 30);
  scene.pass(1'000);
  collect();
  // Everybody, and each once; who hasn't joined has nowhere to move.
  g_assert_cmpuint(told.size(), ==, 40);
  g_assert_false(told.contains(50));
  // Until they go, all goes on; but nobody gets in, nor back in.
  g_assert_true(scene.play(play, 200));
  g_assert_true(scene.code(50, join_as("500")) == Code::drain);
  scene.disconnect(3);
  scene.connect(51);
  g_assert_true(scene.code(51, rejoin_as("30", Role::audience, {})) == Code::drain);
  g_assert_false(scene.book.drained());
  for (SessionId id = 1; id <= 40; id++)
    if (id != 3)
      scene.ask(id, Leave{static_cast<Uid>(id * 10)});
  // One may still be on its way.
  g_assert_false(scene.book.drained());
  scene.pass(10'000);
  g_assert_true(scene.book.drained());
}

void speakers_move_last_and_together () {
  Scene scene;
  for (SessionId id = 1; id <= 3; id++)
    scene.on_air(id, id * 10, 100 + id);
  for (SessionId id = 4; id <= 9; id++)
    scene.join(id, std::to_string(id * 10));
  // One at a time.
  scene.last = scene.book.drain(60'000, scene.now);
  std::vector<std::vector<SessionId>> told;
  for (int slices = 0; slices < 10; slices++) {
    for (const Send &send : scene.sends())
      if (std::holds_alternative<ErrorEvent>(send.message))
        told.push_back(send.to);
    scene.pass(200);
  }
  g_assert_cmpuint(told.size(), ==, 7);
  for (std::size_t i = 0; i < 6; i++)
    g_assert_true(told[i].size() == 1 && told[i].front() >= 4);
  g_assert_cmpuint(told.back().size(), ==, 3);
}

void sound_goes_on_while_draining () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.join(2, "20");
  g_assert_true(scene.play(scene.subscribe(2, 10), 200));
  scene.last = scene.book.drain(60'000, scene.now);
  for (SessionId id : {1, 2})
    scene.disconnect(id);
  scene.pass(30'000);
  g_assert_cmpuint(scene.drops().size(), ==, 0);
  g_assert_false(scene.book.drained());
  // Elsewhere now: both end their sessions here.
  scene.play_ends(200);
  scene.push_ends(100);
  scene.pass(1'500);
  g_assert_true(scene.book.drained());
  g_assert_true(scene.noticed() == "out 4, off, out 4, destroyed" ||
                scene.noticed() == "off, out 4, out 4, destroyed");
}

void the_end_says_goodbye () {
  Scene scene;
  scene.on_air(1, 10, 100);
  scene.connect(2);
  const Commands commands = scene.book.close_all(scene.now);
  scene.last = commands;
  g_assert_true(scene.told(1) == "error 503");
  g_assert_true(scene.told(2) == "error 503");
  g_assert_true(scene.close_code(1) == CloseCode::going_away);
  g_assert_true(scene.close_code(2) == CloseCode::going_away);
  g_assert_true(scene.noticed() == "out 4, destroyed");
  scene.connect(3);
  g_assert_true(scene.close_code(3) == CloseCode::going_away);
  g_assert_false(scene.book.next_deadline().has_value());
}

}  // namespace

static const agora::Suite suite("shutdown", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"networks", addresses_count_by_network},
      {"service-lost", lost_service_is_told},
      {"drain", drained_in_slices},
      {"speakers-last", speakers_move_last_and_together},
      {"sound", sound_goes_on_while_draining},
      {"close-all", the_end_says_goodbye},
  };
  for (const auto &test : tests)
    g_test_add_func((std::string("/gateway/end/") + test.name).c_str(), test.test);
});

}  // namespace shutdown_test
