// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/silence.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace agora {

namespace {

// ISO 14496-3, table 4.85.
enum Element : unsigned { single = 0, pair = 1, low_frequency = 3, end = 7 };

class BitWriter {
 public:
  void put (unsigned value, unsigned bits) {
    while (bits-- > 0) {
      if (used_ % 8 == 0)
        bytes_.push_back(0);
      bytes_.back() |= static_cast<std::uint8_t>(((value >> bits) & 1) << (7 - used_ % 8));
      used_++;
    }
  }
  const std::vector<std::uint8_t> &bytes () const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
  unsigned used_ = 0;
};

// individual_channel_stream with no scale factor band at all: nothing but silence follows.
void put_silent_channel (BitWriter &out) {
  out.put(140, 8);  // global_gain, of no effect here
  out.put(0, 1);    // ics_reserved_bit
  out.put(0, 2);    // ONLY_LONG_SEQUENCE
  out.put(0, 1);    // sine window
  out.put(0, 6);    // max_sfb
  out.put(0, 1);    // predictor_data_present
  out.put(0, 3);    // no pulse, no TNS, no gain control
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

BufferPtr silent_frame (int channels) {
  const std::span<const Element> elements = layout(channels);
  if (elements.empty())
    return nullptr;
  BitWriter out;
  std::array<unsigned, 4> tags = {};
  for (const Element element : elements) {
    out.put(element, 3);
    out.put(tags[element]++, 4);
    if (element == pair) {
      out.put(0, 1);  // common_window
      put_silent_channel(out);
    }
    put_silent_channel(out);
  }
  out.put(end, 3);
  return BufferPtr(gst_buffer_new_memdup(out.bytes().data(), out.bytes().size()));
}

AacFormat AacFormat::of(const GstCaps *caps) {
  AacFormat format;
  if (!caps || gst_caps_get_size(caps) == 0)
    return format;
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  gst_structure_get_int(structure, "rate", &format.rate);
  gst_structure_get_int(structure, "channels", &format.channels);
  const GValue *value = gst_structure_get_value(structure, "codec_data");
  std::array<std::uint8_t, 2> config;
  if (value && GST_VALUE_HOLDS_BUFFER(value) &&
      gst_buffer_extract(gst_value_get_buffer(value), 0, config.data(), config.size()) ==
          config.size()) {
    format.object_type = config[0] >> 3;
    // SBR doubles what a frame yields; so does frameLengthFlag the other way, which LC alone has.
    if (format.object_type == 5 || format.object_type == 29)
      format.samples = 2048;
    else if (config[1] & 0x04)
      format.samples = 960;
  }
  return format;
}

GstClockTime AacFormat::frame_duration() const {
  return rate > 0 ? gst_util_uint64_scale_int(samples, GST_SECOND, rate) : 20 * GST_MSECOND;
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
