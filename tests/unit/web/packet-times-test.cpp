// SPDX-License-Identifier: LGPL-2.1-or-later
// The timestamps of what listeners get: one after the other, whatever comes when, and from whom.
#include "gst/web/down-chain.hpp"

using namespace agora::web;

namespace {

constexpr GstClockTime kPacket = 20 * GST_MSECOND;

void test_jitter () {
  PacketTimes times;
  const GstClockTime first = 5 * GST_SECOND;
  for (unsigned at = 0; at < 1000; ++at) {
    const GstClockTime jitter = (at * 7919 % 60) * GST_MSECOND;
    g_assert_cmpuint(times.next(first + at * kPacket + jitter, kPacket), ==, first + at * kPacket);
  }
}

// Silence that wasn't sent stays silence: what comes after it isn't pulled forward.
void test_gap () {
  PacketTimes times;
  g_assert_cmpuint(times.next(GST_SECOND, kPacket), ==, GST_SECOND);
  g_assert_cmpuint(times.next(3 * GST_SECOND, kPacket), ==, 3 * GST_SECOND);
  g_assert_cmpuint(times.next(3 * GST_SECOND + kPacket, kPacket), ==, 3 * GST_SECOND + kPacket);
}

// For a moment two encoders send: no timestamp stands twice, and what the peer is ahead stays
// bounded.
void test_twice_as_many () {
  PacketTimes times;
  GstClockTime last = 0;
  unsigned dropped = 0;
  for (unsigned at = 0; at < 200; ++at) {
    const GstClockTime now = GST_SECOND + at * kPacket / 2, time = times.next(now, kPacket);
    if (!GST_CLOCK_TIME_IS_VALID(time)) {
      ++dropped;
      continue;
    }
    g_assert_cmpuint(time, >, last);
    g_assert_cmpuint(time, <=, now + 200 * GST_MSECOND);
    last = time;
  }
  g_assert_cmpuint(dropped, >, 80);
  g_assert_cmpuint(dropped, <, 100);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/packet-times/jitter", test_jitter);
  g_test_add_func("/web/packet-times/gap", test_gap);
  g_test_add_func("/web/packet-times/twice-as-many", test_twice_as_many);
  return g_test_run();
}
