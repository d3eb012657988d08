// SPDX-License-Identifier: LGPL-2.1-or-later
// RTCP's reports of what listeners get: read back by GStreamer, and by their bytes.
#include "gst/web/sender-reports.hpp"

#include <gst/rtp/gstrtcpbuffer.h>

using namespace agora;
using namespace agora::web;

namespace {

constexpr std::int64_t kSecond = G_USEC_PER_SEC;

void test_when () {
  SenderReports reports(1, "me");
  // Before anything was sent there is nothing to report.
  g_assert_false(reports.is_due(7 * kSecond));
  reports.sent(80);
  g_assert_true(reports.is_due(7 * kSecond));
  reports.make(7 * kSecond, 0, 0);
  g_assert_false(reports.is_due(12 * kSecond - 1));
  g_assert_true(reports.is_due(12 * kSecond));
}

void test_what () {
  SenderReports reports(0xfedcba98, "agora-77");
  for (int i = 0; i < 1000; i++)
    reports.sent(100);
  // 1970-01-01 was 2208988800 s after 1900-01-01: RFC 5905.
  const std::int64_t wall = 1'700'000'000 * kSecond + kSecond / 4;
  const BufferPtr packet = reports.make(kSecond, wall, 0xfffffff0);
  g_assert_true(gst_rtcp_buffer_validate(packet.get()));
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  g_assert_true(gst_rtcp_buffer_map(packet.get(), GST_MAP_READ, &rtcp));
  GstRTCPPacket part;
  g_assert_true(gst_rtcp_buffer_get_first_packet(&rtcp, &part));
  g_assert_cmpint(gst_rtcp_packet_get_type(&part), ==, GST_RTCP_TYPE_SR);
  guint32 ssrc = 0, rtp = 0, packets = 0, octets = 0;
  guint64 ntp = 0;
  gst_rtcp_packet_sr_get_sender_info(&part, &ssrc, &ntp, &rtp, &packets, &octets);
  g_assert_cmpuint(ssrc, ==, 0xfedcba98);
  g_assert_cmpuint(ntp >> 32, ==, 1'700'000'000 + 2'208'988'800);
  g_assert_cmpuint(ntp & 0xffffffff, ==, 0x40000000);
  g_assert_cmpuint(rtp, ==, 0xfffffff0);
  g_assert_cmpuint(packets, ==, 1000);
  g_assert_cmpuint(octets, ==, 100'000);
  g_assert_true(gst_rtcp_packet_move_to_next(&part));
  g_assert_cmpint(gst_rtcp_packet_get_type(&part), ==, GST_RTCP_TYPE_SDES);
  g_assert_true(gst_rtcp_packet_sdes_first_item(&part));
  g_assert_cmpuint(gst_rtcp_packet_sdes_get_ssrc(&part), ==, 0xfedcba98);
  GstRTCPSDESType type = GST_RTCP_SDES_INVALID;
  guint8 length = 0;
  guint8 *name = nullptr;
  g_assert_true(gst_rtcp_packet_sdes_first_entry(&part));
  g_assert_true(gst_rtcp_packet_sdes_get_entry(&part, &type, &length, &name));
  g_assert_cmpint(type, ==, GST_RTCP_SDES_CNAME);
  g_assert_cmpmem(name, length, "agora-77", 8);
  g_assert_false(gst_rtcp_packet_move_to_next(&part));
  gst_rtcp_buffer_unmap(&rtcp);
}

void test_the_steady_clock () {
  const std::int64_t one = steady_wall_us(10 * kSecond);
  g_assert_cmpint(steady_wall_us(25 * kSecond) - one, ==, 15 * kSecond);
  g_assert_cmpint(ABS(steady_wall_us(g_get_monotonic_time()) - g_get_real_time()), <, kSecond);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/sender-reports/when", test_when);
  g_test_add_func("/web/sender-reports/what", test_what);
  g_test_add_func("/web/sender-reports/the-steady-clock", test_the_steady_clock);
  return g_test_run();
}
