// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/silence.hpp"

#include <gst/base/gstbitwriter.h>

#include <array>
#include <cstdint>
#include <span>

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

}  // namespace agora
