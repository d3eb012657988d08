// SPDX-License-Identifier: LGPL-2.1-or-later
// How elements get into a channel: a first join that waits for its gateway, and the membership that
// elements of one pipeline share.
#include <memory>
#include <string>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

std::string state_of (const Pipeline &pipeline, const char *name) {
  g_autoptr(GstElement) element = pipeline.get(name);
  g_autofree char *state = nullptr;
  g_object_get(element, "connection-state", &state, nullptr);
  return state ? state : "";
}

bool plays (const Pipeline &pipeline, const char *name) {
  g_autoptr(GstElement) element = pipeline.get(name);
  GstState now = GST_STATE_NULL;
  gst_element_get_state(element, &now, nullptr, 0);
  return now == GST_STATE_PLAYING;
}

// A machine that is up before its gateway is. Both elements, alone and in one pipeline.
void test_late_gateway () {
  GatewayProcess gateway;
  gateway.kill();  // its ports are free from now on
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host retry-first-join=true" +
                    in_room(gateway, "uid=7"));
  Pipeline listening(
      "agorasrc name=listener retry-first-join=true reconnect-timeout=-1 "
      "level-interval=50000000" +
      in_room(gateway) + "! fakesink sync=true");
  Pipeline both("audiotestsrc is-live=true ! agorasink name=host retry-first-join=true" +
                in_room(gateway, "uid=8") + "agorasrc name=listener" + in_room(gateway) +
                "! fakesink sync=true");
  Pipeline *all[] = {&speaking, &listening, &both};
  for (Pipeline *pipeline : all)
    pipeline->set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(speaking.told("agora-reconnecting") == 1);
  WAIT_UNTIL(listening.told("agora-reconnecting") == 1);
  // One of each element, whichever of the two came first.
  WAIT_UNTIL(both.told("agora-reconnecting") == 2);
  let_pass(3000);  // more tries
  for (Pipeline *pipeline : all) {
    const unsigned elements = pipeline == &both ? 2 : 1;
    pipeline->read();
    g_assert_cmpuint(pipeline->told("agora-reconnecting"), ==, elements);
    g_assert_cmpuint(pipeline->told("agora-reconnected"), ==, 0);
    g_assert_cmpuint(pipeline->warnings(), ==, 0);
    for (const char *name : {"host", "listener"}) {
      if (g_autoptr(GstElement) element = pipeline->find(name)) {
        g_assert_cmpstr(state_of(*pipeline, name).c_str(), ==, "connecting");
        g_assert_true(plays(*pipeline, name));
      }
    }
  }

  gateway.start();
  WAIT_UNTIL(listening.heard(7));
  WAIT_UNTIL(listening.heard(8));
  WAIT_UNTIL(both.told("agora-reconnected") == 2);
  for (Pipeline *pipeline : all) {
    pipeline->read();
    const unsigned elements = pipeline == &both ? 2 : 1;
    g_assert_cmpuint(pipeline->told("agora-reconnecting"), ==, elements);
    g_assert_cmpuint(pipeline->told("agora-reconnected"), ==, elements);
  }
  g_assert_cmpuint(both.uid("listener"), ==, 8);
  g_assert_cmpstr(state_of(speaking, "host").c_str(), ==, "joined");
}

// What is refused for good, the end of the time limit, and a stop while it waits.
void test_end_of_waiting (gconstpointer launch) {
  GatewayProcess gateway;
  gateway.kill();
  const auto start = [&] (const char *more) {
    g_autofree char *text =
        g_strdup_printf(static_cast<const char *>(launch), more, in_room(gateway, "uid=7").c_str());
    auto pipeline = std::make_unique<Pipeline>(text);
    pipeline->expect_errors();
    pipeline->set_state(GST_STATE_PLAYING);
    return pipeline;
  };
  auto limited = start("retry-first-join=true reconnect-timeout=2");
  auto stopped = start("retry-first-join=true");
  auto never = start("retry-first-join=true reconnect-timeout=0");
  auto refused = start("retry-first-join=true reconnect-timeout=-1");
  WAIT_UNTIL(never->errors() == 1);
  g_assert_cmpuint(never->told("agora-reconnecting"), ==, 0);
  WAIT_UNTIL(stopped->told("agora-reconnecting") == 1);
  stopped->set_state(GST_STATE_NULL);
  g_assert_cmpuint(stopped->errors(), ==, 0);
  WAIT_UNTIL(limited->errors() == 1);
  g_assert_nonnull(strstr(limited->complaint().c_str(), "gave up after 2 s"));
  g_assert_nonnull(strstr(limited->complaint().c_str(), "reconnect-timeout"));
  WAIT_UNTIL(refused->told("agora-reconnecting") == 1);
  g_assert_cmpuint(refused->errors(), ==, 0);
  gateway.start("another");
  WAIT_UNTIL(refused->errors() == 1);
  g_assert_nonnull(strstr(refused->complaint().c_str(), "unknown app id"));
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/membership/late-gateway", test_late_gateway);
  g_test_add_data_func("/membership/end-of-waiting/host",
                       "audiotestsrc is-live=true ! agorasink %s %s", test_end_of_waiting);
  g_test_add_data_func("/membership/end-of-waiting/listener", "agorasrc %s %s ! fakesink sync=true",
                       test_end_of_waiting);
  return g_test_run();
}
