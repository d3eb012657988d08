// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/flv-tag.hpp"

#include <array>

namespace agora {

namespace {

// Type, size, the lower 24 bits of the time, the upper 8, the stream's id.
using Head = std::array<guint8, 11>;
constexpr guint8 type_audio = 8;

bool read_head (GstBuffer *tag, Head &head) {
  return gst_buffer_extract(tag, 0, head.data(), head.size()) == head.size();
}

// The header of the whole stream comes among the tags.
bool is_file_header (const Head &head) {
  return head[0] == 'F' && head[1] == 'L' && head[2] == 'V';
}

}  // namespace

BufferPtr make_flv_tag (std::span<const std::uint8_t> body) {
  // PreviousTagSize follows it.
  constexpr gsize trailer = 4;
  Head head = {type_audio};
  const gsize all = head.size() + body.size();
  GST_WRITE_UINT24_BE(&head[1], static_cast<guint32>(body.size()));
  BufferPtr tag(gst_buffer_new_allocate(nullptr, all + trailer, nullptr));
  gst_buffer_fill(tag.get(), 0, head.data(), head.size());
  gst_buffer_fill(tag.get(), head.size(), body.data(), body.size());
  std::array<guint8, trailer> size;
  GST_WRITE_UINT32_BE(size.data(), static_cast<guint32>(all));
  gst_buffer_fill(tag.get(), all, size.data(), size.size());
  return tag;
}

std::uint32_t flv_stamp (GstBuffer *tag) {
  Head head;
  return read_head(tag, head) ? GST_READ_UINT24_BE(&head[4]) | std::uint32_t{head[7]} << 24 : 0;
}

BufferPtr with_flv_stamp (GstBuffer *tag, std::uint32_t stamp) {
  Head head;
  if (!read_head(tag, head))
    return share(tag);
  GST_WRITE_UINT24_BE(&head[4], stamp & 0xffffff);
  head[7] = static_cast<guint8>(stamp >> 24);
  BufferPtr out(gst_buffer_new_memdup(head.data(), head.size()));
  gst_buffer_copy_into(out.get(), tag, GST_BUFFER_COPY_METADATA, 0, -1);
  gst_buffer_copy_into(out.get(), tag, GST_BUFFER_COPY_MEMORY, head.size(), -1);
  return out;
}

CapsPtr with_header_stamp (const GstCaps *caps, std::uint32_t stamp) {
  CapsPtr out(gst_caps_copy(caps));
  GstStructure *structure = gst_caps_get_structure(out.get(), 0);
  const GValue *headers = gst_structure_get_value(structure, "streamheader");
  if (!headers || !GST_VALUE_HOLDS_ARRAY(headers))
    return out;
  GValue stamped = G_VALUE_INIT;
  g_value_init(&stamped, GST_TYPE_ARRAY);
  for (guint i = 0; i < gst_value_array_get_size(headers); i++) {
    const GValue *value = gst_value_array_get_value(headers, i);
    GstBuffer *tag = GST_VALUE_HOLDS_BUFFER(value) ? gst_value_get_buffer(value) : nullptr;
    Head head;
    if (!tag || !read_head(tag, head) || is_file_header(head)) {
      gst_value_array_append_value(&stamped, value);
      continue;
    }
    BufferPtr copy = with_flv_stamp(tag, stamp);
    GValue item = G_VALUE_INIT;
    g_value_init(&item, GST_TYPE_BUFFER);
    gst_value_take_buffer(&item, copy.release());
    gst_value_array_append_and_take_value(&stamped, &item);
  }
  gst_structure_take_value(structure, "streamheader", &stamped);
  return out;
}

bool is_flv_frame (GstBuffer *tag) {
  guint8 type = 0;
  return !GST_BUFFER_FLAG_IS_SET(tag, GST_BUFFER_FLAG_HEADER) &&
         gst_buffer_extract(tag, 0, &type, 1) == 1 && type == type_audio;
}

}  // namespace agora
