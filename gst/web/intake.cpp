// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/intake.hpp"

#include <algorithm>

namespace agora::web {

namespace {

// RFC 7983 and, for RTCP among RTP, RFC 5761.
constexpr std::uint8_t first_dtls = 20, last_dtls = 63, first_rtp = 128, last_rtp = 191;
constexpr std::uint8_t first_rtcp_type = 192, last_rtcp_type = 223;
constexpr std::size_t rtp_header = 12, rtcp_header = 8;
// A sender's report with its names has some 100 bytes. Each name in it is a source, which costs.
constexpr std::size_t longest_report = 400;
// What bytes are counted in.
constexpr std::size_t unit = 64;
// So many bursts beyond what may come.
constexpr unsigned flood = 2;

std::uint32_t word (const std::uint8_t *at) {
  return std::uint32_t(at[0]) << 24 | std::uint32_t(at[1]) << 16 | std::uint32_t(at[2]) << 8 |
         at[3];
}

}  // namespace

bool Intake::takes(const std::uint8_t *packet, std::size_t size, std::int64_t mono_ms) {
  if (!all_.charge(mono_ms)) {
    owes_ = all_.owes_more_than(flood);
    return false;
  }
  if (size == 0)
    return false;
  const std::uint8_t first = packet[0];
  if (first >= first_dtls && first <= last_dtls)
    return handshake_.take(mono_ms);
  return first >= first_rtp && first <= last_rtp && takes_media(packet, size, mono_ms);
}

bool Intake::takes_media(const std::uint8_t *packet, std::size_t size, std::int64_t mono_ms) {
  if (size < rtcp_header)
    return false;
  if (packet[1] >= first_rtcp_type && packet[1] <= last_rtcp_type)
    return size <= longest_report && reports_.take(mono_ms) && knows(word(packet + 4));
  // Contributing sources are a mixer's. Each of them would be remembered.
  if (size < rtp_header || (packet[0] & 0x0f) != 0 || !knows(word(packet + 8)))
    return false;
  if (!size_.is_paid(mono_ms) || !voice_.take(mono_ms))
    return false;
  size_.charge(mono_ms, (size + unit - 1) / unit);
  return true;
}

bool Intake::knows(std::uint32_t ssrc) {
  if (std::find(sources_.begin(), sources_.end(), ssrc) != sources_.end())
    return true;
  if (sources_.size() >= most_sources)
    return false;
  sources_.push_back(ssrc);
  return true;
}

unsigned opus_tenths (const std::uint8_t *packet, std::size_t size) {
  if (size == 0)
    return 0;
  const unsigned configuration = packet[0] >> 3;
  unsigned frame = 0;
  if (configuration < 12) {
    constexpr unsigned silk[] = {100, 200, 400, 600};
    frame = silk[configuration % 4];
  } else if (configuration < 16) {
    frame = configuration % 2 ? 200 : 100;
  } else {
    frame = 25U << (configuration % 4);
  }
  switch (packet[0] & 3) {
    case 0:
      return frame;
    case 1:
    case 2:
      return 2 * frame;
    default:
      return size < 2 ? 0 : (packet[1] & 0x3f) * frame;
  }
}

bool SoundBudget::takes(const std::uint8_t *packet, std::size_t size, std::int64_t mono_ms) {
  constexpr unsigned longest = 1200, tenths_a_ms = 10;
  const unsigned tenths = opus_tenths(packet, size);
  if (tenths == 0 || tenths > longest || !ms_.is_paid(mono_ms))
    return false;
  ms_.charge(mono_ms, (tenths + tenths_a_ms - 1) / tenths_a_ms);
  return true;
}

}  // namespace agora::web
