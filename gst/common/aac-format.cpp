// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/aac-format.hpp"

#include <gst/base/gstbitreader.h>
#include <gst/pbutils/codec-utils.h>

#include <algorithm>
#include <array>

namespace agora {

namespace {

// AudioSpecificConfig and GASpecificConfig, ISO 14496-3, 1.6.2.1 and 4.4.1. The longest part that
// is read here: two object types with escapes, two explicit rates, channels and the first flag.
constexpr gsize most_config = 16;
constexpr unsigned escaped_type = 31;
constexpr unsigned explicit_rate = 15;
constexpr int type_sbr = 5;
constexpr int type_parametric_stereo = 29;
constexpr int type_er_bsac = 22;

int read_type (GstBitReader &bits) {
  guint32 type = 0;
  if (!gst_bit_reader_get_bits_uint32(&bits, &type, 5))
    return 0;
  guint32 more = 0;
  if (type == escaped_type && gst_bit_reader_get_bits_uint32(&bits, &more, 6))
    type = 32 + more;
  return static_cast<int>(type);
}

int read_rate (GstBitReader &bits) {
  guint32 index = 0;
  guint32 rate = 0;
  if (!gst_bit_reader_get_bits_uint32(&bits, &index, 4))
    return 0;
  if (index != explicit_rate)
    return static_cast<int>(gst_codec_utils_aac_get_sample_rate_from_index(index));
  return gst_bit_reader_get_bits_uint32(&bits, &rate, 24) ? static_cast<int>(rate) : 0;
}

// Object types whose configuration begins with frameLengthFlag.
bool has_length_flag (int type) {
  constexpr std::array<int, 13> types = {1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23, AacFormat::kEld};
  return std::find(types.begin(), types.end(), type) != types.end();
}

int samples_of (int type, bool is_short) {
  if (type == AacFormat::kLd || type == AacFormat::kEld)
    return is_short ? 480 : 512;
  return is_short ? 960 : 1024;
}

void read_config (GstBitReader &bits, AacFormat &format) {
  int type = read_type(bits);
  const int rate = read_rate(bits);
  guint32 channels = 0;
  if (type == 0 || rate <= 0 || !gst_bit_reader_get_bits_uint32(&bits, &channels, 4))
    return;
  format.sbr = type == type_sbr || type == type_parametric_stereo;
  if (format.sbr) {
    if (read_rate(bits) <= 0)
      return;
    type = read_type(bits);
    if (type == type_er_bsac && !gst_bit_reader_skip(&bits, 4))
      return;
  }
  guint32 is_short = 0;
  if (has_length_flag(type) && !gst_bit_reader_get_bits_uint32(&bits, &is_short, 1))
    return;
  format.object_type = type;
  format.core_rate = rate;
  // Configuration 7 is 7.1; those above it have layouts of their own.
  format.core_channels = channels < 7 ? static_cast<int>(channels) : channels == 7 ? 8 : 0;
  format.core_samples = samples_of(type, is_short != 0);
}

}  // namespace

AacFormat AacFormat::of(const GstCaps *caps) {
  AacFormat format;
  if (!caps || gst_caps_get_size(caps) == 0)
    return format;
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  gst_structure_get_int(structure, "rate", &format.rate);
  gst_structure_get_int(structure, "channels", &format.channels);
  format.core_rate = format.rate;
  format.core_channels = format.channels;
  const GValue *value = gst_structure_get_value(structure, "codec_data");
  if (!value || !GST_VALUE_HOLDS_BUFFER(value))
    return format;
  std::array<guint8, most_config> config = {};
  const gsize size =
      gst_buffer_extract(gst_value_get_buffer(value), 0, config.data(), config.size());
  GstBitReader bits;
  gst_bit_reader_init(&bits, config.data(), static_cast<guint>(size));
  read_config(bits, format);
  // Whoever wrote caps that contradict a plain AAC-LC configuration counts time as the caps do. Of
  // other types, and of rates in full, demuxers read less than what is there, and guess.
  const bool plain = size >= 2 && config[0] >> 3 == kLc &&
                     ((config[0] & 7) << 1 | config[1] >> 7) != static_cast<int>(explicit_rate);
  if (plain && format.rate > 0 && format.rate != format.core_rate &&
      format.rate != 2 * format.core_rate)
    format.core_rate = format.rate;
  return format;
}

GstClockTime AacFormat::frame_duration() const {
  return core_rate > 0 ? gst_util_uint64_scale_int(core_samples, GST_SECOND, core_rate)
                       : 20 * GST_MSECOND;
}

}  // namespace agora
