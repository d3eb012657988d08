// SPDX-License-Identifier: LGPL-2.1-or-later
// Words that members send each other: who gets them, who may send them, and how many.
#include "tests/suite.hpp"
#include "tests/unit/gateway/cluster-scene.hpp"

namespace data_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

Join knowing (const std::string &uid, std::string app = open_app) {
  Join join = join_as(uid);
  join.app_id = join.token = std::move(app);
  join.features = Features{feature_data};
  return join;
}

// Three who know of it, and one who doesn't.
void gather (Scene &scene) {
  for (const SessionId id : {1, 2, 3}) {
    scene.connect(id);
    const Answer hello = scene.ask(id, knowing(std::to_string(id + 6)));
    g_assert_true(hello.features == Features{feature_data});
  }
  scene.join(4, "10");
}

void who_gets_it () {
  Scene scene;
  gather(scene);
  g_assert_true(scene.code(1, Data{{}, "on air in 10"}) == Code::ok);
  same(scene.told(2), "data 7 on air in 10");
  same(scene.told(3), "data 7 on air in 10");
  same(scene.told(1) + scene.told(4), "");
  g_assert_true(scene.code(2, Data{{7, 10, 99}, "ready"}) == Code::ok);
  same(scene.told(1), "data 8 ready");
  same(scene.told(3) + scene.told(4), "");
  // Who lost its socket gets nothing of it, then or later.
  scene.disconnect(3);
  g_assert_true(scene.code(1, Data{{9}, "gone?"}) == Code::ok);
  scene.connect(5);
  Join again = rejoin_as("9", Role::audience, {});
  again.features = Features{feature_data};
  scene.ask(5, again);
  same(scene.told(5), "");
  // Who rejoins without it knows nothing of it.
  scene.disconnect(5);
  scene.connect(6);
  scene.ask(6, rejoin_as("9", Role::audience, {}));
  scene.ask(1, Data{{}, "all"});
  same(scene.told(6), "");
}

void who_may () {
  Scene scene;
  gather(scene);
  const Answer unknown = scene.ask(4, Data{{}, "x"});
  g_assert_true(unknown.code == Code::bad_request);
  same(unknown.reason, "unknown action \"data\"");
  scene.connect(5);
  g_assert_true(scene.code(5, Data{{}, "x"}) == Code::not_joined);
}

// The privilege to publish data, for as long as it lasts.
void by_the_token () {
  Config config = plain_config();
  std::int64_t ends = 0;
  config.verify_token = [&ends] (std::string_view token, const TokenRequest &,
                                 std::int64_t) -> std::variant<Grant, TokenError> {
    Grant grant;
    for (const Privilege each : {Privilege::join_channel, Privilege::publish_data})
      grant.privileges[static_cast<std::size_t>(each)].allowed =
          each == Privilege::join_channel || token == "007speaks";
    grant.privileges[static_cast<std::size_t>(Privilege::publish_data)].ends_at = ends;
    return grant;
  };
  Scene scene(config);
  ends = scene.now.wall_s + 100;
  for (const SessionId id : {1, 2}) {
    scene.connect(id);
    Join join = knowing(std::to_string(id + 6), closed_app);
    join.token = id == 1 ? "007speaks" : "007listens";
    g_assert_true(scene.code(id, join) == Code::ok);
  }
  g_assert_true(scene.code(1, Data{{}, "x"}) == Code::ok);
  same(scene.told(2), "data 7 x");
  g_assert_true(scene.code(2, Data{{}, "x"}) == Code::not_permitted);
  scene.now.wall_s += 101;
  g_assert_true(scene.code(1, Data{{}, "x"}) == Code::not_permitted);
}

void not_too_many () {
  Scene scene;
  gather(scene);
  std::size_t taken = 0;
  for (int n = 0; n < 50; n++)
    taken += scene.code(1, Data{{8}, "x"}) == Code::ok ? 1 : 0;
  g_assert_cmpuint(taken, ==, data_at_once);
  // Another one's are another one's.
  g_assert_true(scene.code(2, Data{{7}, "x"}) == Code::ok);
  scene.pass(2'000);
  taken = 0;
  for (int n = 0; n < 50; n++)
    taken += scene.code(1, Data{{8}, "x"}) == Code::ok ? 1 : 0;
  g_assert_cmpuint(taken, ==, 2 * data_per_second);
}

// A word to all is not to cost more than all else that the channel is told.
void a_large_channel () {
  Config config = plain_config();
  config.limits.events_per_second = 4;
  config.limits.requests_per_second = 0;
  Scene scene(config);
  gather(scene);
  std::size_t taken = 0;
  for (int n = 0; n < 10; n++) {
    const Answer answer = scene.ask(1, Data{{}, "x"});
    taken += answer.code == Code::ok ? 1 : 0;
    g_assert_true(answer.code == Code::ok || answer.code == Code::too_many);
  }
  g_assert_cmpuint(taken, >=, 1);
  g_assert_cmpuint(taken, <=, 2);
}

void at_another_gateway () {
  ClusterScene all(3);
  for (int n = 0; n < 3; n++) {
    all[n].connect(1);
    all[n].ask(1, knowing(std::to_string(7 + n)));
    all[n].connect(2);
    all[n].ask(2, knowing(std::to_string(17 + n)));
  }
  all.forget();
  g_assert_true(all[0].code(1, Data{{8, 17}, "to you | 2"}) == Code::ok);
  same(all[0].told(2), "data 7 to you | 2");
  same(all[1].told(1), "data 7 to you | 2");
  same(all[1].told(2) + all[2].told(1) + all[2].told(2), "");
  all.forget();
  g_assert_true(all[1].code(1, Data{{}, "€ to all"}) == Code::ok);
  same(all[0].told(1), "data 8 € to all");
  same(all[1].told(2), "data 8 € to all");
  same(all[2].told(1) + all[2].told(2), "data 8 € to alldata 8 € to all");
  same(all[1].told(1), "");
  // While the store is away those who are here get it all the same.
  all.cut(0);
  all.forget();
  g_assert_true(all[0].code(1, Data{{}, "alone"}) == Code::ok);
  same(all[0].told(2), "data 7 alone");
  same(all[1].told(1), "");
}

// Who is alone at its gateway pays nothing there for those who hear it elsewhere: their own does.
void a_large_channel_elsewhere () {
  Config config = plain_config();
  config.limits.events_per_second = 4;
  config.limits.requests_per_second = 0;
  ClusterScene all(2, config);
  all[0].connect(1);
  all[0].ask(1, knowing("7"));
  for (const SessionId id : {1, 2, 3}) {
    all[1].connect(id);
    all[1].ask(id, knowing(std::to_string(id + 16)));
  }
  all.pass(2'000);
  std::size_t heard = 0;
  for (int n = 0; n < 10; n++) {
    all.forget();
    all[0].ask(1, Data{{}, "x"});
    heard += all[1].told(1).empty() ? 0 : 1;
  }
  g_assert_cmpuint(heard, >=, 1);
  g_assert_cmpuint(heard, <=, 2);
}

}  // namespace

static const agora::Suite suite("data", [] {
  const struct {
    const char *name;
    void (*test)();
  } tests[] = {
      {"who-gets-it", who_gets_it},
      {"who-may", who_may},
      {"token", by_the_token},
      {"not-too-many", not_too_many},
      {"large", a_large_channel},
      {"elsewhere", at_another_gateway},
      {"large-elsewhere", a_large_channel_elsewhere},
  };
  for (const auto &[name, test] : tests)
    g_test_add_func((std::string("/data/") + name).c_str(), test);
});

}  // namespace data_test
