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

// As ISO 14496-3, table 1.17, but by the names that people know.
std::string name_of_type (int type) {
  static constexpr std::array<const char *, 46> names = {
      nullptr,         "AAC Main",     "AAC-LC",        "AAC-SSR",      "AAC-LTP",
      "HE-AAC",        "AAC Scalable", "TwinVQ",        "CELP",         "HVXC",
      nullptr,         nullptr,        "TTSI",          nullptr,        nullptr,
      nullptr,         nullptr,        "ER AAC-LC",     nullptr,        "ER AAC-LTP",
      "ER Scalable",   "ER TwinVQ",    "ER BSAC",       "AAC-LD",       "ER CELP",
      "ER HVXC",       "ER HILN",      "ER Parametric", "SSC",          "HE-AAC v2",
      "MPEG Surround", nullptr,        "MPEG Layer 1",  "MPEG Layer 2", "MPEG Layer 3",
      "DST",           "MPEG-4 ALS",   "MPEG-4 SLS",    "MPEG-4 SLS",   "AAC-ELD",
      "SMR",           "SMR",          "xHE-AAC",       "SAOC",         "LD MPEG Surround",
      "SAOC-DE"};
  const auto index = static_cast<std::size_t>(type);
  return (index < names.size() && names[index] ? std::string(names[index]) + " (object type "
                                               : std::string("MPEG-4 audio (object type ")) +
         std::to_string(type) + ")";
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

struct AacConfig {
  std::array<guint8, most_config> bytes = {};
  gsize size = 0;

  explicit AacConfig(const GstCaps *caps) {
    if (!is_aac(caps))
      return;
    const GValue *value = gst_structure_get_value(gst_caps_get_structure(caps, 0), "codec_data");
    if (value && GST_VALUE_HOLDS_BUFFER(value))
      size = gst_buffer_extract(gst_value_get_buffer(value), 0, bytes.data(), bytes.size());
  }
  std::string hex () const {
    std::string text;
    for (gsize i = 0; i < size; i++) {
      g_autofree char *byte = g_strdup_printf("%02x", bytes[i]);
      text += byte;
    }
    return text;
  }
};

// Channel configuration 0 leaves it to a program config element behind GASpecificConfig's flags.
bool has_layout (GstBitReader &bits, int type) {
  // frameLengthFlag, dependsOnCoreCoder with its delay, extensionFlag.
  constexpr guint delay_bits = 14, least_layout = 34;
  guint32 has_delay = 0;
  if (type == AacFormat::kEld || !has_length_flag(type))
    return true;
  return gst_bit_reader_skip(&bits, 1) && gst_bit_reader_get_bits_uint32(&bits, &has_delay, 1) &&
         gst_bit_reader_skip(&bits, 1 + (has_delay ? delay_bits : 0)) &&
         gst_bit_reader_get_remaining(&bits) >= least_layout;
}

std::string fault_in (const AacConfig &config) {
  GstBitReader bits;
  gst_bit_reader_init(&bits, config.bytes.data(), static_cast<guint>(config.size));
  guint32 channels = 0;
  int type = read_type(bits);
  if (config.size < 2)
    return "is too short";
  if (type == 0)
    return "names no object type (0)";
  if (read_rate(bits) <= 0 || !gst_bit_reader_get_bits_uint32(&bits, &channels, 4))
    return "names no sample rate";
  if (type == type_sbr || type == type_parametric_stereo) {
    if (read_rate(bits) <= 0)
      return "names no sample rate";
    type = read_type(bits);
    if (type == type_er_bsac && !gst_bit_reader_skip(&bits, 4))
      return "is cut off";
  }
  if (channels == 0 && !has_layout(bits, type))
    return "names no channels (0, and no program config element)";
  // 11 to 14 are layouts of version 4 of the standard.
  if ((channels > 7 && channels < 11) || channels == 15)
    return "names channels that no standard has (" + std::to_string(channels) + ")";
  return "";
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

bool is_aac (const GstCaps *caps) {
  if (!caps || gst_caps_get_size(caps) == 0)
    return false;
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  int version = 0;
  return gst_structure_has_name(structure, "audio/mpeg") &&
         gst_structure_get_int(structure, "mpegversion", &version) && version == 4;
}

std::string describe_aac (const GstCaps *caps) {
  const AacConfig config(caps);
  if (config.size < 2)
    return "AAC";
  GstBitReader bits;
  gst_bit_reader_init(&bits, config.bytes.data(), static_cast<guint>(config.size));
  return name_of_type(read_type(bits)) + ", configuration " + config.hex();
}

std::string aac_fault (const GstCaps *caps) {
  const AacConfig config(caps);
  const std::string fault = config.size > 0 ? fault_in(config) : "";
  return fault.empty() ? "" : "its AAC configuration " + config.hex() + " " + fault;
}

}  // namespace agora
