// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-frames.hpp"

#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace agora {

CapsPtr opus_caps (std::span<const std::uint8_t> head) {
  constexpr std::size_t version = 8;
  constexpr std::size_t pre_skip = 10;
  std::vector<std::uint8_t> mine(head.begin(), head.end());
  // Those of before and of after it that come here are read in the same way (RFC 7845, 5.1).
  mine[version] = 1;
  mine[pre_skip] = mine[pre_skip + 1] = 0;
  const BufferPtr buffer(gst_buffer_new_memdup(mine.data(), mine.size()));
  return CapsPtr(gst_codec_utils_opus_create_caps_from_header(buffer.get(), nullptr));
}

BufferPtr opus_frame (const OpusTagReader::Read &packet) {
  constexpr int rate = 48'000;
  BufferPtr frame(gst_buffer_new_memdup(packet.data.data(), packet.data.size()));
  GST_BUFFER_PTS(frame.get()) =
      static_cast<GstClockTime>(std::max<std::int64_t>(packet.ms, 0)) * GST_MSECOND;
  GST_BUFFER_DURATION(frame.get()) =
      gst_util_uint64_scale_int(packet.packet->samples, GST_SECOND, rate);
  return frame;
}

}  // namespace agora
