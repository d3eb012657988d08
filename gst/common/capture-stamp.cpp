// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/capture-stamp.hpp"

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "gst/common/opus-packet.hpp"
#include "gst/common/voice-codec.hpp"

namespace agora {

namespace {

// ISO 14496-3, 4.4.2.7: element id 4 (three bits), instance tag 15 (four), no alignment (one), then
// a byte of length: so the frame that follows stays byte-aligned.
constexpr std::uint8_t data_stream_element = 0x9e;
constexpr std::array<std::uint8_t, 4> magic = {'A', 'g', 'w', '1'};
constexpr gsize payload = magic.size() + sizeof(std::int64_t);
constexpr gsize total = 2 + payload;

BufferPtr stamp_packet (GstBuffer *packet, std::int64_t wall) {
  GstMapInfo map;
  if (!gst_buffer_map(packet, &map, GST_MAP_READ))
    return share(packet);
  const auto bytes = stamp_opus(std::span(map.data, map.size), wall);
  gst_buffer_unmap(packet, &map);
  if (!bytes)
    return share(packet);
  BufferPtr stamped(gst_buffer_new_memdup(bytes->data(), bytes->size()));
  gst_buffer_copy_into(stamped.get(), packet, GST_BUFFER_COPY_METADATA, 0, -1);
  return stamped;
}

std::optional<std::int64_t> read_packet_stamp (GstBuffer *packet) {
  GstMapInfo map;
  if (!gst_buffer_map(packet, &map, GST_MAP_READ))
    return std::nullopt;
  const auto stamp = opus_stamp(std::span(map.data, map.size));
  gst_buffer_unmap(packet, &map);
  return stamp;
}

}  // namespace

BufferPtr stamp_frame (GstBuffer *frame, const GstCaps *caps, std::int64_t wall) {
  if (is_opus(caps))
    return stamp_packet(frame, wall);
  // What an ADTS header begins is one only where nothing comes before it.
  std::array<std::uint8_t, 2> begin = {};
  gst_buffer_extract(frame, 0, begin.data(), begin.size());
  if (begin[0] == 0xff && (begin[1] & 0xf6) == 0xf0)
    return share(frame);
  std::array<std::uint8_t, total> bytes = {data_stream_element, payload};
  std::memcpy(bytes.data() + 2, magic.data(), magic.size());
  const std::uint64_t wire = GUINT64_TO_BE(static_cast<std::uint64_t>(wall));
  std::memcpy(bytes.data() + 2 + magic.size(), &wire, sizeof(wire));

  BufferPtr stamped(gst_buffer_new_memdup(bytes.data(), bytes.size()));
  gst_buffer_copy_into(stamped.get(), frame, static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_ALL),
                       0, -1);
  return stamped;
}

std::optional<std::int64_t> read_stamp (GstBuffer *frame, const GstCaps *caps) {
  if (is_opus(caps))
    return read_packet_stamp(frame);
  std::array<std::uint8_t, total> bytes;
  if (gst_buffer_extract(frame, 0, bytes.data(), bytes.size()) != bytes.size() ||
      bytes[0] != data_stream_element || bytes[1] != payload ||
      std::memcmp(bytes.data() + 2, magic.data(), magic.size()) != 0)
    return std::nullopt;
  std::uint64_t wire = 0;
  std::memcpy(&wire, bytes.data() + 2 + magic.size(), sizeof(wire));
  return static_cast<std::int64_t>(GUINT64_FROM_BE(wire));
}

}  // namespace agora
