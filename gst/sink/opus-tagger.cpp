// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/opus-tagger.hpp"

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "gst/common/opus-tag.hpp"
#include "gst/rtmp/flv-tag.hpp"

namespace agora {

namespace {

using Kind = OpusTag::Kind;

constexpr std::uint64_t head_interval_ms = 1000;
// An FLV file that has sound alone.
constexpr std::array<guint8, 13> file_header = {'F', 'L', 'V', 1, 4, 0, 0, 0, 9, 0, 0, 0, 0};

BufferPtr tag_of (Kind kind, std::span<const guint8> data) {
  const std::vector<guint8> body = write_opus_tag(kind, data);
  return make_flv_tag(body);
}

BufferPtr tag_of (GstBuffer *packet) {
  GstMapInfo map;
  if (!gst_buffer_map(packet, &map, GST_MAP_READ))
    return nullptr;
  BufferPtr tag = tag_of(Kind::packet, std::span(map.data, map.size));
  gst_buffer_unmap(packet, &map);
  gst_buffer_copy_into(tag.get(), packet, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  return tag;
}

void append (GValue &array, BufferPtr buffer) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_BUFFER);
  gst_value_take_buffer(&value, buffer.release());
  gst_value_array_append_and_take_value(&array, &value);
}

// As flvmux has them: what a session begins with is in the caps.
CapsPtr caps_with (GstBuffer *head) {
  CapsPtr caps(gst_caps_new_empty_simple("video/x-flv"));
  GValue headers = G_VALUE_INIT;
  g_value_init(&headers, GST_TYPE_ARRAY);
  append(headers, BufferPtr(gst_buffer_new_memdup(file_header.data(), file_header.size())));
  append(headers, share(head));
  gst_structure_take_value(gst_caps_get_structure(caps.get(), 0), "streamheader", &headers);
  return caps;
}

int channels_of (const GstCaps *caps) {
  int channels = 1;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &channels);
  return channels;
}

// Of the head that may be in the caps: packets are as loud as they were with it.
int gain_of (const GstCaps *caps) {
  const GValue *headers = gst_structure_get_value(gst_caps_get_structure(caps, 0), "streamheader");
  if (!headers || !GST_VALUE_HOLDS_ARRAY(headers) || gst_value_array_get_size(headers) == 0)
    return 0;
  const GValue *first = gst_value_array_get_value(headers, 0);
  GstBuffer *head = GST_VALUE_HOLDS_BUFFER(first) ? gst_value_get_buffer(first) : nullptr;
  GstMapInfo map;
  if (!head || !gst_buffer_map(head, &map, GST_MAP_READ))
    return 0;
  const int gain = opus_head_gain(std::span(map.data, map.size));
  gst_buffer_unmap(head, &map);
  return gain;
}

}  // namespace

bool OpusTagger::start() {
  fed_.reset();
  first_.reset();
  head_ms_.reset();
  running_ = true;
  return true;
}

// Who comes later leaves nothing out, and the first ones hear 7 ms more of silence.
void OpusTagger::set_caps(GstCaps *caps) {
  if (fed_ && (caps == fed_.get() || gst_caps_is_equal(caps, fed_.get())))
    return;
  fed_ = share(caps);
  head_ = tag_of(Kind::head, opus_head(channels_of(caps), 0, gain_of(caps)));
  tags_ = caps_with(head_.get());
}

GstFlowReturn OpusTagger::send(GstBuffer *packet, GstCaps *caps,
                               std::chrono::steady_clock::time_point expires) {
  if (!running_)
    return GST_FLOW_FLUSHING;
  const bool changed = fed_.get() != caps;
  set_caps(caps);
  const GstClockTime time = GST_BUFFER_PTS(packet);
  if (!first_)
    first_ = time;
  FlvTag tag;
  tag.caps = tags_.get();
  tag.ms = time > *first_ ? time / GST_MSECOND - *first_ / GST_MSECOND : 0;
  tag.expires = expires;
  if (changed || !head_ms_ || tag.ms >= *head_ms_ + head_interval_ms) {
    // The first one is in the caps.
    if (head_ms_) {
      tag.buffer = share(head_.get());
      const GstFlowReturn flow = taker_.take_tag(tag);
      if (flow != GST_FLOW_OK)
        return flow;
    }
    head_ms_ = tag.ms;
  }
  tag.buffer = tag_of(packet);
  tag.duration = GST_BUFFER_DURATION(packet);
  return tag.buffer ? taker_.take_tag(tag) : GST_FLOW_OK;
}

}  // namespace agora
