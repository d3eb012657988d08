// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/sender-reports.hpp"

#include <gst/rtp/gstrtcpbuffer.h>

namespace agora::web {

namespace {

// As browsers do for sound. RFC 3550's least.
constexpr std::int64_t interval_us = 5 * G_USEC_PER_SEC;
// With a name of 255 bytes, which is the longest.
constexpr guint longest = 400;
constexpr std::int64_t from_1900_to_1970_s = 2'208'988'800;

// 32 bits of seconds, 32 of their fraction.
std::uint64_t ntp_time (std::int64_t wall_us) {
  const auto seconds = static_cast<std::uint64_t>(wall_us / G_USEC_PER_SEC + from_1900_to_1970_s);
  const auto rest = static_cast<std::uint64_t>(wall_us % G_USEC_PER_SEC);
  return (seconds << 32) + (rest << 32) / G_USEC_PER_SEC;
}

}  // namespace

void SenderReports::sent(std::size_t bytes) {
  packets_++;
  octets_ += static_cast<std::uint32_t>(bytes);
}

bool SenderReports::is_due(std::int64_t mono_us) const {
  return packets_ > 0 && mono_us >= due_us_;
}

BufferPtr SenderReports::make(std::int64_t mono_us, std::int64_t wall_us, std::uint32_t rtp) {
  due_us_ = mono_us + interval_us;
  BufferPtr report(gst_rtcp_buffer_new(longest));
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  gst_rtcp_buffer_map(report.get(), GST_MAP_READWRITE, &rtcp);
  GstRTCPPacket packet;
  gst_rtcp_buffer_add_packet(&rtcp, GST_RTCP_TYPE_SR, &packet);
  gst_rtcp_packet_sr_set_sender_info(&packet, ssrc_, ntp_time(wall_us), rtp, packets_, octets_);
  gst_rtcp_buffer_add_packet(&rtcp, GST_RTCP_TYPE_SDES, &packet);
  gst_rtcp_packet_sdes_add_item(&packet, ssrc_);
  gst_rtcp_packet_sdes_add_entry(&packet, GST_RTCP_SDES_CNAME, static_cast<guint8>(cname_.size()),
                                 reinterpret_cast<const guint8 *>(cname_.data()));
  gst_rtcp_buffer_unmap(&rtcp);
  return report;
}

std::int64_t steady_wall_us (std::int64_t mono_us) {
  static const std::int64_t difference = g_get_real_time() - g_get_monotonic_time();
  return mono_us + difference;
}

}  // namespace agora::web
