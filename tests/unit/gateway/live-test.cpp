// SPDX-License-Identifier: LGPL-2.1-or-later
// What an operator who watches is told, and in which browsers the operator is known.
#include <json-glib/json-glib.h>

#include <algorithm>
#include <cstring>

#include "signaling/gateway/operator/console-sessions.hpp"
#include "signaling/gateway/operator/live-view.hpp"
#include "tests/suite.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace live_test {

using namespace agora::gateway;
using namespace agora::protocol;

namespace {

// The uids of a list of members, in ascending order.
std::vector<Uid> uids (const std::string &text, const char *list) {
  g_autoptr(JsonParser) parser = json_parser_new();
  g_assert_true(json_parser_load_from_data(parser, text.c_str(), -1, nullptr));
  JsonArray *members =
      json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), list);
  std::vector<Uid> found;
  for (guint i = 0; i < json_array_get_length(members); i++)
    found.push_back(static_cast<Uid>(
        json_object_get_int_member(json_array_get_object_element(members, i), "uid")));
  std::sort(found.begin(), found.end());
  return found;
}

std::int64_t left_off (const std::string &text) {
  g_autoptr(JsonParser) parser = json_parser_new();
  g_assert_true(json_parser_load_from_data(parser, text.c_str(), -1, nullptr));
  return json_object_get_int_member(json_node_get_object(json_parser_get_root(parser)), "left_off");
}

LiveGateway look (const Scene &scene) {
  LiveGateway gateway;
  gateway.counts.totals = scene.book.totals();
  gateway.apps = {open_app};
  return gateway;
}

using Some = std::vector<Uid>;

void only_what_changes () {
  Scene scene;
  LiveView view(scene.book, false);
  scene.join(1, "7", Role::broadcaster);
  view.begin();
  g_assert_true(uids(view.all(look(scene), scene.now), "members") == Some{7});
  const auto changed = [&] {
    const std::string text = view.changes(look(scene), scene.now);
    return std::pair(uids(text, "changed"), uids(text, "gone"));
  };
  g_assert_true(changed() == std::pair(Some{}, Some{}));
  scene.join(2, "8");
  g_assert_true(changed() == std::pair(Some{8}, Some{}));
  // On the air, then listened to.
  const std::string url = scene.publish(1, 7);
  g_assert_true(changed() == std::pair(Some{}, Some{}));
  g_assert_true(scene.push(url, 41));
  g_assert_true(changed() == std::pair(Some{7}, Some{}));
  scene.play(scene.subscribe(2, 7), 42);
  g_assert_true(changed() == std::pair(Some{7}, Some{}));
  // Muted; lost, and back; gone.
  scene.ask(1, MuteLocal{7, Target::audio, true});
  g_assert_true(changed() == std::pair(Some{7}, Some{}));
  scene.disconnect(2);
  g_assert_true(changed() == std::pair(Some{8}, Some{}));
  scene.pass(10'000);
  const auto [news, gone] = changed();
  g_assert_true(gone == Some{8});
  // Another one by the same number: the old one is gone, this one is new.
  scene.connect(3);
  scene.ask(3, join_as("9"));
  changed();
  scene.connect(4);
  scene.ask(4, join_as("9"));
  g_assert_true(changed() == std::pair(Some{9}, Some{9}));
}

void reports () {
  Scene scene;
  LiveView view(scene.book, false);
  scene.connect(1);
  Join join = join_as("7");
  join.features = Features{feature_quality};
  scene.ask(1, join);
  view.begin();
  Report report;
  report.heard.resize(1);
  report.heard[0].uid = 8;
  report.heard[0].latency_ms = 181;
  g_assert_true(scene.code(1, report) == Code::ok);
  const std::string told = view.changes(look(scene), scene.now);
  g_assert_true(uids(told, "changed") == Some{7});
  g_assert_nonnull(std::strstr(told.c_str(), R"("latency":181)"));
  // The same once more is news: it is how one knows that it is still so.
  scene.pass(5'000);
  g_assert_true(scene.code(1, report) == Code::ok);
  g_assert_true(uids(view.changes(look(scene), scene.now), "changed") == Some{7});
}

// Of too many, those on the air are shown.
void bounded () {
  Config config = plain_config();
  config.limits.sockets_per_address = 0;
  config.limits.unjoined_per_second = 0;
  Scene scene(config);
  constexpr Uid most = LiveView::most_members;
  for (Uid uid = 1; uid <= most + 5; uid++)
    scene.join(uid, std::to_string(uid), Role::broadcaster);
  for (const Uid uid : {most + 4, most + 5})
    g_assert_true(scene.push(scene.publish(uid, uid), uid));
  LiveView view(scene.book, false);
  view.begin();
  for (const std::string &text : {view.all(look(scene), scene.now)}) {
    const auto shown = uids(text, "members");
    g_assert_cmpuint(shown.size(), ==, most);
    g_assert_cmpint(left_off(text), ==, 5);
    g_assert_true(shown[most - 2] == most + 4 && shown[most - 1] == most + 5);
  }
  g_assert_cmpint(left_off(view.changes(look(scene), scene.now)), ==, 5);
}

void sessions () {
  ConsoleSessions sessions;
  const std::string first = sessions.open(1'000);
  const std::string other = sessions.open(1'000);
  g_assert_cmpuint(first.size(), ==, 64);
  g_assert_true(first != other);
  g_assert_true(sessions.good(first, 1'000) && sessions.good(other, 1'000));
  g_assert_false(sessions.good("", 1'000) || sessions.good(first.substr(1), 1'000));
  g_assert_true(sessions.good(first, 999 + ConsoleSessions::lifetime_ms));
  g_assert_false(sessions.good(first, 1'000 + ConsoleSessions::lifetime_ms));
  sessions.end(first);
  g_assert_false(sessions.good(first, 1'000));
  for (std::size_t i = 0; i < ConsoleSessions::most; i++)
    sessions.open(2'000);
  g_assert_cmpuint(sessions.size(), ==, ConsoleSessions::most);
  g_assert_false(sessions.good(other, 2'000));
  // The old ones make no room for themselves.
  const std::string late = sessions.open(2'000 + ConsoleSessions::lifetime_ms);
  g_assert_cmpuint(sessions.size(), ==, 1);
  sessions.end_all();
  g_assert_false(sessions.good(late, 2'000 + ConsoleSessions::lifetime_ms));
}

}  // namespace

static const agora::Suite suite("live", [] {
  g_test_add_func("/live/only-what-changes", only_what_changes);
  g_test_add_func("/live/reports", reports);
  g_test_add_func("/live/bounded", bounded);
  g_test_add_func("/live/sessions", sessions);
});

}  // namespace live_test
