// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-frames.hpp"

#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "gst/common/opus-tag.hpp"

namespace agora {

CapsPtr opus_caps (std::span<const std::uint8_t> head) {
  constexpr std::size_t channels = 9;
  // Those of before and of after this version that come here are read in the same way (RFC 7845,
  // 5.1). What a decoder needs not know is as in ours: nothing to leave out, and 48 kHz, as some
  // decode at the rate that the first encoder had. Nor what comes behind a head.
  const auto ours = opus_head(opus_head_channels(head), 0, opus_head_gain(head));
  std::vector<std::uint8_t> mine(ours.begin(), ours.end());
  mine.back() = static_cast<std::uint8_t>(opus_head_family(head));
  if (mine.back() != 0) {
    const auto table = head.subspan(kOpusHead);
    const auto size = std::min<std::size_t>(table.size(), 2 + mine[channels]);
    mine.insert(mine.end(), table.begin(), table.begin() + static_cast<std::ptrdiff_t>(size));
  }
  const BufferPtr buffer(gst_buffer_new_memdup(mine.data(), mine.size()));
  return CapsPtr(gst_codec_utils_opus_create_caps_from_header(buffer.get(), nullptr));
}

GstFlowReturn read_opus_tags (
    GstBuffer *tags, OpusTagReader &reader,
    const std::function<GstFlowReturn(const OpusTagReader::Read &)> &take) {
  GstMapInfo map;
  if (!gst_buffer_map(tags, &map, GST_MAP_READ))
    return GST_FLOW_OK;
  GstFlowReturn flow = GST_FLOW_OK;
  OpusTagReader::Bytes left(map.data, map.size);
  while (flow == GST_FLOW_OK) {
    const auto next = reader.next(left);
    if (!next)
      break;
    flow = take(*next);
  }
  gst_buffer_unmap(tags, &map);
  return flow;
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
