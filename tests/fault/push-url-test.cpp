// SPDX-License-Identifier: LGPL-2.1-or-later
// A fresh push URL from the same gateway, while the one before still works: the sound moves over,
// and a listener hears nothing of it.
#include <string>

#include "tests/element/src/silence.hpp"

namespace {

using namespace agora::test;

constexpr guint host_uid = 7;
constexpr unsigned moves = 5;

GstStructure *stats_of (const Pipeline &pipeline, const char *name) {
  g_autoptr(GstElement) element = pipeline.get(name);
  GstStructure *stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  return stats;
}

guint sessions (const Pipeline &pipeline) {
  g_autoptr(GstStructure) stats = stats_of(pipeline, "host");
  guint count = 0;
  g_assert_true(gst_structure_get_uint(stats, "sessions", &count));
  return count;
}

guint64 concealed_ms (const Pipeline &pipeline) {
  g_autoptr(GstStructure) stats = stats_of(pipeline, "listener");
  const auto speakers = speakers_in(stats);
  g_assert_cmpuint(speakers.size(), ==, 1);
  guint64 ms = 0;
  g_assert_true(gst_structure_get_uint64(speakers.front(), "concealed-ms", &ms));
  return ms;
}

std::string push_url (const Pipeline &pipeline) {
  g_autoptr(GstElement) host = pipeline.get("host");
  g_autofree char *url = nullptr;
  g_object_get(host, "push-url", &url, nullptr);
  return url ? url : "";
}

void count (std::atomic<unsigned> *told) {
  (*told)++;
}

void test_moves () {
  GatewayProcess gateway;
  const std::string room = in_room(gateway);
  Pipeline pipeline("audiotestsrc is-live=true samplesperbuffer=480 ! agorasink name=host uid=7" +
                    room + " agorasrc name=listener level-interval=50000000 uid=8" + room +
                    " ! audio/x-raw,format=F32LE ! fakesink name=end sync=true");
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pipeline.heard(host_uid));
  // Where sound belongs is guessed first, and found out within its first seconds.
  let_pass(3000);
  Silence silence(pipeline);
  g_autoptr(GstElement) host = pipeline.get("host");
  std::atomic<unsigned> told = 0;
  g_signal_connect_swapped(host, "notify::push-url", G_CALLBACK(count), &told);
  const guint64 concealed = concealed_ms(pipeline);
  const gint64 begin = g_get_monotonic_time();
  for (unsigned i = 0; i < moves; i++) {
    const std::string before = push_url(pipeline);
    const guint had = sessions(pipeline);
    g_signal_emit_by_name(host, "update-push-url");
    WAIT_UNTIL(push_url(pipeline) != before && sessions(pipeline) == had + 1);
    // Beyond the second in which the gateway still lets the old session be.
    let_pass(2000);
    pipeline.heard(host_uid);
    WAIT_UNTIL(pipeline.heard(host_uid));
  }
  const auto passed = static_cast<guint64>(g_get_monotonic_time() - begin) / 1000;
  const guint64 came = silence.came_ms();
  const guint64 silent = silence.ms();
  const guint64 more = concealed_ms(pipeline) - concealed;
  g_test_message("%u fresh push URLs: silent for %d ms, %d ms concealed", moves,
                 static_cast<int>(silent), static_cast<int>(more));
  g_assert_cmpuint(told, ==, moves);
  // It came without a stop; the last of it is under way.
  constexpr guint64 under_way_ms = 200;
  g_assert_cmpuint(came + under_way_ms, >, passed);
  g_assert_cmpuint(silent, ==, 0);
  g_assert_cmpuint(more, ==, 0);
  g_assert_cmpuint(pipeline.told("agora-reconnecting"), ==, 0);
  g_assert_cmpuint(pipeline.told("agora-stream-removed"), ==, 0);
}

// An element that isn't in a channel has none to move from.
void test_idle () {
  GatewayProcess gateway;
  Pipeline pipeline("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway));
  g_autoptr(GstElement) host = pipeline.get("host");
  g_signal_emit_by_name(host, "update-push-url");
  g_assert_true(push_url(pipeline).empty());
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(!push_url(pipeline).empty());
  pipeline.set_state(GST_STATE_NULL);
  g_signal_emit_by_name(host, "update-push-url");
  g_assert_true(push_url(pipeline).empty());
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/push-url/moves", test_moves);
  g_test_add_func("/push-url/idle", test_idle);
  return g_test_run();
}
