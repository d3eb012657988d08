// SPDX-License-Identifier: LGPL-2.1-or-later
// A token ends, and the application sets another one: in time, or while the gateway is away. What
// is heard of it is measured where it would be played.
#include "signaling/agora-token.h"
#include "tests/element/src/silence.hpp"

namespace {

using namespace agora::test;

constexpr guint host_uid = 7;
constexpr const char *certificate = "0123456789abcdef0123456789abcdef";
constexpr guint short_s = 4;

std::string token_for (guint seconds) {
  g_autoptr(GError) error = nullptr;
  g_autofree char *token = agora_token_build(AGORA_TOKEN_KIND_ACCESS_TOKEN_007, "demo", certificate,
                                             "room", "", AGORA_ROLE_BROADCASTER, seconds, &error);
  g_assert_no_error(error);
  return token;
}

std::string members (const GatewayProcess &gateway, const std::string &token) {
  const std::string room = in_room(gateway, "token=" + token);
  return "audiotestsrc is-live=true samplesperbuffer=480 ! agorasink name=host uid=7" + room +
         " agorasrc name=listener level-interval=50000000 uid=8" + room +
         " ! audio/x-raw,format=F32LE ! fakesink name=end sync=true";
}

void renew (const Pipeline &pipeline) {
  const std::string token = token_for(3600);
  for (const char *element : {"host", "listener"}) {
    g_autoptr(GstElement) one = pipeline.get(element);
    g_object_set(one, "token", token.c_str(), nullptr);
  }
}

// Which an application that is told in time does.
void test_in_time () {
  GatewayProcess gateway(std::string("demo:") + certificate);
  const gint64 begin = g_get_monotonic_time();
  Pipeline pipeline(members(gateway, token_for(short_s)));
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.heard(host_uid));
  Silence silence(pipeline);
  // Each of the two is told.
  WAIT_UNTIL((pipeline.read(), pipeline.told("agora-token-privilege-will-expire") == 2));
  renew(pipeline);
  const gint64 over = begin + (short_s + 2) * G_USEC_PER_SEC;
  WAIT_UNTIL(g_get_monotonic_time() > over);
  const guint64 silent = silence.ms();
  g_test_message("token renewed in time: silent for %d ms", static_cast<int>(silent));
  g_assert_cmpuint(silent, ==, 0);
  pipeline.read();
  g_assert_cmpuint(pipeline.told("agora-token-privilege-did-expire"), ==, 0);
  g_assert_cmpuint(pipeline.told("agora-reconnecting"), ==, 0);
}

// The gateway is away when the token ends; what it is shown when it is back is the new one.
void test_meanwhile () {
  GatewayProcess gateway(std::string("demo:") + certificate);
  const gint64 begin = g_get_monotonic_time();
  Pipeline pipeline(members(gateway, token_for(short_s)));
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.heard(host_uid));
  gateway.kill();
  const gint64 over = begin + (short_s + 1) * G_USEC_PER_SEC;
  WAIT_UNTIL(g_get_monotonic_time() > over);
  renew(pipeline);
  gateway.start();
  const gint64 up = g_get_monotonic_time();
  pipeline.heard(host_uid);
  WAIT_UNTIL(pipeline.heard(host_uid));
  const gint64 took = g_get_monotonic_time() - up;
  g_test_message("token expired while the gateway was away, and renewed: back after %d ms",
                 static_cast<int>(took / G_TIME_SPAN_MILLISECOND));
  g_assert_cmpint(took, <, 5 * G_USEC_PER_SEC);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/token/in-time", test_in_time);
  g_test_add_func("/token/meanwhile", test_meanwhile);
  return g_test_run();
}
