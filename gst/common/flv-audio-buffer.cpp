// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-audio-buffer.hpp"

#include <vector>

namespace agora {

BufferPtr filter_flv_audio (GstBuffer *buffer, FlvAudioFilter &filter) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return nullptr;
  std::vector<std::uint8_t> out;
  filter.push(std::span(map.data, map.size), out);
  gst_buffer_unmap(buffer, &map);
  if (out.empty())
    return nullptr;
  BufferPtr filtered(gst_buffer_new_memdup(out.data(), out.size()));
  gst_buffer_copy_into(filtered.get(), buffer, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  // flvdemux looks for a header at the offset 0 alone, and so for that of another stream, too. What
  // begins with a tag has no place that it need know of.
  GST_BUFFER_OFFSET(filtered.get()) = out.front() == 'F' ? 0 : GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_OFFSET_END(filtered.get()) = GST_BUFFER_OFFSET_NONE;
  return filtered;
}

}  // namespace agora
