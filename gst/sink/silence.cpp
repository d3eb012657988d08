// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/silence.hpp"

#include <gst/base/gstbitwriter.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace agora {

namespace {

// ISO 14496-3, table 4.85.
enum Element : unsigned { single = 0, pair = 1, low_frequency = 3, end = 7 };

void put (GstBitWriter &out, unsigned value, unsigned bits) {
  gst_bit_writer_put_bits_uint32(&out, value, bits);
}

// individual_channel_stream with no scale factor band at all: nothing but silence follows.
void put_silent_channel (GstBitWriter &out) {
  put(out, 140, 8);  // global_gain, of no effect here
  put(out, 0, 1);    // ics_reserved_bit
  put(out, 0, 2);    // ONLY_LONG_SEQUENCE
  put(out, 0, 1);    // sine window
  put(out, 0, 6);    // max_sfb
  put(out, 0, 1);    // predictor_data_present
  put(out, 0, 3);    // no pulse, no TNS, no gain control
}

// The elements of channel configurations 1 to 7, table 1.19.
std::span<const Element> layout (int channels) {
  static constexpr std::array<Element, 5> c7 = {single, pair, pair, pair, low_frequency};
  static constexpr std::array<Element, 4> c6 = {single, pair, pair, low_frequency};
  static constexpr std::array<Element, 3> c4 = {single, pair, single};
  static constexpr std::array<Element, 1> c2 = {pair};
  switch (channels) {
    case 1:
      return std::span(c6).first(1);
    case 2:
      return c2;
    case 3:
      return std::span(c6).first(2);
    case 4:
      return c4;
    case 5:
      return std::span(c6).first(3);
    case 6:
      return c6;
    case 8:
      return c7;
    default:
      return {};
  }
}

}  // namespace

BufferPtr silent_frame (const AacFormat &format) {
  // Object types 1 to 4 share raw_data_block().
  const std::span<const Element> elements = layout(format.core_channels);
  if (elements.empty() || format.object_type < 1 || format.object_type > 4)
    return nullptr;
  GstBitWriter out;
  gst_bit_writer_init(&out);
  std::array<unsigned, 8> tags = {};
  for (const Element element : elements) {
    put(out, element, 3);
    put(out, tags[element]++, 4);
    if (element == pair) {
      put(out, 0, 1);  // common_window
      put_silent_channel(out);
    }
    put_silent_channel(out);
  }
  put(out, end, 3);
  gst_bit_writer_align_bytes(&out, 0);
  return BufferPtr(gst_bit_writer_reset_and_get_buffer(&out));
}

CapsPtr default_aac_caps () {
  // AAC-LC, 48 kHz, mono.
  static constexpr std::array<std::uint8_t, 2> config = {0x11, 0x88};
  BufferPtr codec_data(gst_buffer_new_memdup(config.data(), config.size()));
  return CapsPtr(gst_caps_new_simple("audio/mpeg", "mpegversion", G_TYPE_INT, 4, "stream-format",
                                     G_TYPE_STRING, "raw", "framed", G_TYPE_BOOLEAN, TRUE, "rate",
                                     G_TYPE_INT, 48'000, "channels", G_TYPE_INT, 1, "codec_data",
                                     GST_TYPE_BUFFER, codec_data.get(), nullptr));
}

CapsPtr default_opus_caps () {
  return CapsPtr(gst_caps_new_simple("audio/x-opus", "rate", G_TYPE_INT, 48'000, "channels",
                                     G_TYPE_INT, 1, "channel-mapping-family", G_TYPE_INT, 0,
                                     nullptr));
}

// CELT at full band, as an encoder makes it of digital silence: frames of up to 20 ms, and of those
// as many as are needed.
BufferPtr silent_packet (const GstCaps *caps, GstClockTime duration) {
  constexpr GstClockTime longest = 20 * GST_MSECOND;
  constexpr unsigned celt_20_ms = 31;
  constexpr std::array<std::uint8_t, 2> silence = {0xff, 0xfe};
  int channels = 1;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &channels);
  unsigned shorter = 0;
  while (shorter < 3 && duration <= longest >> (shorter + 1))
    shorter++;
  const unsigned first = (celt_20_ms - shorter) << 3 | (channels == 2 ? 4U : 0U);
  const auto frames =
      static_cast<unsigned>(std::clamp<GstClockTime>((duration + longest / 2) / longest, 1, 6));
  std::vector<std::uint8_t> packet;
  packet.reserve(2 + frames * silence.size());
  // Code 3: the number of frames follows.
  packet.push_back(static_cast<std::uint8_t>(frames > 1 ? first | 3 : first));
  if (frames > 1)
    packet.push_back(static_cast<std::uint8_t>(frames));
  for (unsigned i = 0; i < frames; i++)
    packet.insert(packet.end(), silence.begin(), silence.end());
  return BufferPtr(gst_buffer_new_memdup(packet.data(), packet.size()));
}

}  // namespace agora
