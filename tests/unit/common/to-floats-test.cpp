// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever a decoder gives becomes interleaved floats; what is so already isn't copied.
#include "gst/common/to-floats.hpp"

#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace {

constexpr int kFrames = 480;

struct Case {
  const char *name;
  GstAudioFormat format;
  int channels;
  GstAudioLayout layout;
  bool copied;
  bool positioned = true;
};

constexpr std::array<Case, 8> cases = {{
    {"mono", GST_AUDIO_FORMAT_F32, 1, GST_AUDIO_LAYOUT_INTERLEAVED, false},
    {"mono-planes", GST_AUDIO_FORMAT_F32, 1, GST_AUDIO_LAYOUT_NON_INTERLEAVED, false},
    {"stereo", GST_AUDIO_FORMAT_F32, 2, GST_AUDIO_LAYOUT_INTERLEAVED, false},
    {"stereo-planes", GST_AUDIO_FORMAT_F32, 2, GST_AUDIO_LAYOUT_NON_INTERLEAVED, true},
    {"stereo-s16", GST_AUDIO_FORMAT_S16, 2, GST_AUDIO_LAYOUT_INTERLEAVED, true},
    {"mono-f64", GST_AUDIO_FORMAT_F64, 1, GST_AUDIO_LAYOUT_INTERLEAVED, true},
    {"surround-planes", GST_AUDIO_FORMAT_F32, 6, GST_AUDIO_LAYOUT_NON_INTERLEAVED, true},
    {"surround-unpositioned", GST_AUDIO_FORMAT_F32, 6, GST_AUDIO_LAYOUT_NON_INTERLEAVED, true,
     false},
}};

// Channel 0 rises with the frame, channel 1 falls; the others are silent.
double value (int channel, int frame) {
  const double ramp = 0.5 * frame / kFrames;
  return channel == 0 ? ramp : channel == 1 ? -ramp : 0;
}

void put (guint8 *at, GstAudioFormat format, double value) {
  if (format == GST_AUDIO_FORMAT_F32)
    *reinterpret_cast<float *>(at) = static_cast<float>(value);
  else if (format == GST_AUDIO_FORMAT_F64)
    *reinterpret_cast<double *>(at) = value;
  else
    *reinterpret_cast<gint16 *>(at) = static_cast<gint16>(std::lround(value * 32768));
}

void test_case (gconstpointer data) {
  const auto *each = static_cast<const Case *>(data);
  GstAudioInfo info;
  // The positions of 5.1, of which the others take the first.
  static constexpr GstAudioChannelPosition positions[] = {
      GST_AUDIO_CHANNEL_POSITION_FRONT_LEFT,   GST_AUDIO_CHANNEL_POSITION_FRONT_RIGHT,
      GST_AUDIO_CHANNEL_POSITION_FRONT_CENTER, GST_AUDIO_CHANNEL_POSITION_LFE1,
      GST_AUDIO_CHANNEL_POSITION_REAR_LEFT,    GST_AUDIO_CHANNEL_POSITION_REAR_RIGHT};
  gst_audio_info_set_format(&info, each->format, 48000, each->channels,
                            each->channels > 2 && each->positioned ? positions : nullptr);
  info.layout = each->layout;
  const gsize width = static_cast<gsize>(GST_AUDIO_INFO_WIDTH(&info)) / 8;
  const auto channels = static_cast<gsize>(each->channels);
  std::vector<guint8> bytes(kFrames * channels * width);
  const bool planes = each->layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
  for (gsize c = 0; c < channels; c++)
    for (gsize i = 0; i < kFrames; i++)
      put(&bytes[(planes ? c * kFrames + i : i * channels + c) * width], each->format,
          value(static_cast<int>(c), static_cast<int>(i)));
  GstBuffer *buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
  if (planes)
    gst_buffer_add_audio_meta(buffer, &info, kFrames, nullptr);

  agora::ToFloats floats;
  g_assert_false(floats.valid());
  g_autoptr(GstCaps) caps = gst_audio_info_to_caps(&info);
  g_assert_true(floats.set_caps(caps));
  g_assert_true(floats.valid());
  g_assert_cmpint(floats.rate(), ==, 48000);
  const int out_channels = std::min(each->channels, 2);
  g_assert_cmpint(floats.channels(), ==, out_channels);

  GstAudioBuffer mapped;
  g_assert_true(gst_audio_buffer_map(&mapped, floats.in(), buffer, GST_MAP_READ));
  const float *out = floats.convert(&mapped);
  g_assert_true((out != mapped.planes[0]) == each->copied);
  // The silent channels of surround take nothing away but level.
  const double scale = each->channels > 2 ? out[2 * (kFrames - 1)] / value(0, kFrames - 1) : 1;
  g_assert_cmpfloat(scale, >, 0.2);
  for (int i = 0; i < kFrames; i++)
    for (int c = 0; c < out_channels; c++)
      g_assert_cmpfloat_with_epsilon(out[i * out_channels + c], scale * value(c, i), 1e-4);
  gst_audio_buffer_unmap(&mapped);
  gst_buffer_unref(buffer);
}

void test_nothing_fits () {
  agora::ToFloats floats;
  g_autoptr(GstCaps) caps = gst_caps_from_string("audio/x-raw,rate=48000,channels=2");
  g_assert_false(floats.set_caps(caps));
  g_assert_false(floats.valid());
}

}  // namespace

int main (int argc, char **argv) {
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  for (const Case &each : cases)
    g_test_add_data_func((std::string("/to-floats/") + each.name).c_str(), &each, test_case);
  g_test_add_func("/to-floats/nothing-fits", test_nothing_fits);
  return g_test_run();
}
