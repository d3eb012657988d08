// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-audio-probe.hpp"

#include <vector>

namespace agora {

namespace {

using FilterPtr = std::shared_ptr<FlvAudioFilter>;

void filter_buffer (GstBuffer *buffer, FlvAudioFilter &filter, std::vector<std::uint8_t> &out) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return;
  filter.push(std::span(map.data, map.size), out);
  gst_buffer_unmap(buffer, &map);
}

}  // namespace

GstPadProbeReturn filter_flv_audio (GstPadProbeInfo *info, FlvAudioFilter &filter) {
  std::vector<std::uint8_t> out;
  GstBuffer *first = GST_PAD_PROBE_INFO_BUFFER(info);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
    GstBufferList *list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
    first = nullptr;
    for (guint i = 0; i < gst_buffer_list_length(list); i++)
      filter_buffer(gst_buffer_list_get(list, i), filter, out);
  } else {
    filter_buffer(first, filter, out);
  }
  if (out.empty())
    return GST_PAD_PROBE_DROP;
  GstBuffer *filtered = gst_buffer_new_memdup(out.data(), out.size());
  if (first)
    gst_buffer_copy_into(filtered, first,
                         static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_TIMESTAMPS), 0, -1);
  // flvdemux looks for a header at the offset 0 alone, and so for that of another stream, too. What
  // begins with a tag has no place that it need know of.
  GST_BUFFER_OFFSET(filtered) = out.front() == 'F' ? 0 : GST_BUFFER_OFFSET_NONE;
  GST_BUFFER_OFFSET_END(filtered) = GST_BUFFER_OFFSET_NONE;
  gst_mini_object_unref(static_cast<GstMiniObject *>(GST_PAD_PROBE_INFO_DATA(info)));
  if (first) {
    GST_PAD_PROBE_INFO_DATA(info) = filtered;
  } else {
    GstBufferList *list = gst_buffer_list_new_sized(1);
    gst_buffer_list_add(list, filtered);
    GST_PAD_PROBE_INFO_DATA(info) = list;
  }
  return GST_PAD_PROBE_OK;
}

namespace {

GstPadProbeReturn on_demuxer_input (GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
  FlvAudioFilter &filter = **static_cast<FilterPtr *>(data);
  const GstPadProbeType type = GST_PAD_PROBE_INFO_TYPE(info);
  if (type & (GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST))
    return filter_flv_audio(info, filter);
  const GstEventType event = GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info));
  if (event == GST_EVENT_SEEK)
    return GST_PAD_PROBE_DROP;
  // The stream begins anew.
  if (event == GST_EVENT_FLUSH_STOP || event == GST_EVENT_STREAM_START)
    filter.reset();
  return GST_PAD_PROBE_OK;
}

}  // namespace

std::shared_ptr<FlvAudioFilter> add_flv_audio_probe (GstPad *pad) {
  auto filter = std::make_shared<FlvAudioFilter>();
  gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                   GST_PAD_PROBE_TYPE_EVENT_BOTH | GST_PAD_PROBE_TYPE_EVENT_FLUSH),
      on_demuxer_input, new FilterPtr(filter),
      [] (gpointer data) noexcept { delete static_cast<FilterPtr *>(data); });
  return filter;
}

}  // namespace agora
