// SPDX-License-Identifier: LGPL-2.1-or-later
// From mouth to ear, as the sound itself tells: after the media server stood still it is what it
// was before, and over a long time it stays so.
//
//   latency-test [--freeze=SECONDS]… [--soak=SECONDS] [the options of g_test]
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

constexpr guint host_uid = 7;
int soak_seconds;

class Channel {
 public:
  Channel()
      : host("audiotestsrc is-live=true samplesperbuffer=480 ! agorasink" +
             in_room(gateway, "uid=7")),
        listener("agorasrc name=listener level-interval=50000000" + in_room(gateway, "uid=8") +
                 "! fakesink sync=true") {
    host.set_state(GST_STATE_PLAYING);
    listener.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(listener.heard(host_uid) && late_ms() > 0);
    // The first guess of where sound belongs is corrected within its first seconds.
    let_pass(3000);
  }

  // 0 while the speaker doesn't say.
  double late_ms () {
    g_autoptr(GstElement) element = listener.get("listener");
    GstStructure *stats = nullptr;
    g_object_get(element, "stats", &stats, nullptr);
    double late = 0;
    if (const auto speakers = speakers_in(stats); !speakers.empty())
      gst_structure_get_double(speakers.front(), "mouth-to-ear-ms", &late);
    gst_structure_free(stats);
    return late;
  }

  // Its median over a while.
  double settled_ms (unsigned ms) {
    std::vector<double> all;
    const gint64 end = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;
    while (g_get_monotonic_time() < end) {
      let_pass(100);
      if (const double late = late_ms(); late > 0)
        all.push_back(late);
    }
    g_assert_cmpuint(all.size(), >, 0);
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2),
                     all.end());
    return all[all.size() / 2];
  }

  GatewayProcess gateway;
  Pipeline host;
  Pipeline listener;
};

void test_freeze (gconstpointer data) {
  const double seconds = *static_cast<const double *>(data);
  Channel channel;
  const double before = channel.settled_ms(1500);
  channel.gateway.signal_relay(SIGSTOP);
  let_pass(static_cast<unsigned>(seconds * 1000));
  // Where the gateway has replaced it meanwhile there is nothing to thaw.
  channel.gateway.signal_relay(SIGCONT);
  let_pass(2000);
  WAIT_UNTIL(channel.listener.heard(host_uid));
  const double after = channel.settled_ms(1500);
  g_test_message("frozen for %.0f s: %.1f ms before, %.1f ms after", seconds, before, after);
  g_assert_cmpfloat(std::fabs(after - before), <, 15. * static_cast<double>(time_scale()));
}

// A straight line through it has no slope, and nothing is far from that line.
void test_soak () {
  Channel channel;
  std::vector<double> late;
  for (int second = 0; second < soak_seconds; second++) {
    late.push_back(channel.settled_ms(1000));
    g_assert_true(channel.listener.heard(host_uid));
  }
  const auto n = static_cast<double>(late.size());
  const double mean_x = (n - 1) / 2;
  const double mean_y = std::accumulate(late.begin(), late.end(), 0.) / n;
  double xy = 0;
  double xx = 0;
  for (std::size_t i = 0; i < late.size(); i++) {
    const double x = static_cast<double>(i) - mean_x;
    xy += x * (late[i] - mean_y);
    xx += x * x;
  }
  const auto [least, most] = std::minmax_element(late.begin(), late.end());
  const double slope = xx > 0 ? xy / xx * 1000 : 0;
  g_test_message("%d s: mean %.1f ms, slope %+.2f µs/s, spread %.1f ms", soak_seconds, mean_y,
                 slope, *most - *least);
  g_assert_cmpfloat(*most - *least, <, 20.);
  // Over less than a minute noise alone has a slope.
  if (soak_seconds >= 600)
    g_assert_cmpfloat(std::fabs(slope), <, 5.);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  std::vector<double> seconds;
  for (int i = 1; i < argc; i++) {
    if (g_str_has_prefix(argv[i], "--freeze="))
      seconds.push_back(g_ascii_strtod(argv[i] + 9, nullptr));
    else if (g_str_has_prefix(argv[i], "--soak="))
      soak_seconds = static_cast<int>(g_ascii_strtoll(argv[i] + 7, nullptr, 10));
  }
  for (const double &each : seconds) {
    g_autofree char *name = g_strdup_printf("/latency/frozen/%.0f-s", each);
    g_test_add_data_func(name, &each, test_freeze);
  }
  if (soak_seconds > 0)
    g_test_add_func("/latency/soak", test_soak);
  return g_test_run();
}
