// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/aac-format.hpp"

#include <vector>

namespace {

using agora::AacFormat;

AacFormat format_of (const std::vector<std::uint8_t> &config, int rate, int channels) {
  agora::BufferPtr codec_data(gst_buffer_new_allocate(nullptr, config.size(), nullptr));
  gst_buffer_fill(codec_data.get(), 0, config.data(), config.size());
  agora::CapsPtr caps(gst_caps_new_simple(
      "audio/mpeg", "mpegversion", G_TYPE_INT, 4, "rate", G_TYPE_INT, rate, "channels", G_TYPE_INT,
      channels, "codec_data", GST_TYPE_BUFFER, codec_data.get(), nullptr));
  return AacFormat::of(caps.get());
}

void test_configurations () {
  const struct {
    const char *name;
    std::vector<std::uint8_t> config;
    int rate, channels;  // of the caps
    int object_type, core_rate, core_samples, core_channels;
    bool sbr;
  } rows[] = {
      {"LC 48 kHz mono", {0x11, 0x88}, 48'000, 1, 2, 48'000, 1024, 1, false},
      {"LC 44.1 kHz stereo", {0x12, 0x10}, 44'100, 2, 2, 44'100, 1024, 2, false},
      {"LC, 960 samples", {0x11, 0x8c}, 48'000, 1, 2, 48'000, 960, 1, false},
      {"LC, 5.1 by a program config element",
       {0x11, 0x80, 0x04, 0xc4},
       48'000,
       6,
       2,
       48'000,
       1024,
       0,
       false},
      {"LC, 7.1", {0x11, 0xb8}, 48'000, 8, 2, 48'000, 1024, 8, false},
      // 00101 0110 0001 0011 00010 0...
      {"HE 24 to 48 kHz mono", {0x2b, 0x09, 0x88, 0x00}, 48'000, 1, 2, 24'000, 1024, 1, true},
      // 11101 0110 0001 0011 00010 0...
      {"HE v2 24 to 48 kHz", {0xeb, 0x09, 0x88, 0x00}, 48'000, 2, 2, 24'000, 1024, 1, true},
      // 10111 0011 0001 0...
      {"LD 48 kHz mono", {0xb9, 0x88}, 48'000, 1, 23, 48'000, 512, 1, false},
      {"LD, 480 samples", {0xb9, 0x8c}, 48'000, 1, 23, 48'000, 480, 1, false},
      // 11111 000111 0011 0001 0...
      {"ELD 48 kHz mono", {0xf8, 0xe6, 0x20}, 48'000, 1, 39, 48'000, 512, 1, false},
      {"ELD, 480 samples", {0xf8, 0xe6, 0x30}, 48'000, 1, 39, 48'000, 480, 1, false},
      // 00010 1111 (24 bits: 48000) 0001 0..
      {"LC, the rate in full",
       {0x17, 0x80, 0x5d, 0xc0, 0x08},
       48'000,
       1,
       2,
       48'000,
       1024,
       1,
       false},
      {"ELD in caps that guess", {0xf8, 0xe6, 0x20}, 44'100, 2, 39, 48'000, 512, 1, false},
      {"a rate in full in caps that guess",
       {0x17, 0x80, 0x5d, 0xc0, 0x08},
       44'100,
       1,
       2,
       48'000,
       1024,
       1,
       false},
      {"caps that count time in another rate", {0x11, 0x88}, 10, 1, 2, 10, 1024, 1, false},
      {"SBR that the configuration doesn't tell",
       {0x13, 0x08},
       48'000,
       1,
       2,
       24'000,
       1024,
       1,
       false},
      {"nothing", {}, 32'000, 2, 2, 32'000, 1024, 2, false},
      {"cut", {0x11}, 32'000, 2, 2, 32'000, 1024, 2, false},
      {"a reserved rate", {0x16, 0x88}, 32'000, 2, 2, 32'000, 1024, 2, false},
      {"an escape that is cut", {0xf8}, 32'000, 2, 2, 32'000, 1024, 2, false},
  };
  for (const auto &row : rows) {
    const AacFormat format = format_of(row.config, row.rate, row.channels);
    g_test_message("%s", row.name);
    g_assert_cmpint(format.rate, ==, row.rate);
    g_assert_cmpint(format.channels, ==, row.channels);
    g_assert_cmpint(format.object_type, ==, row.object_type);
    g_assert_cmpint(format.core_rate, ==, row.core_rate);
    g_assert_cmpint(format.core_samples, ==, row.core_samples);
    g_assert_cmpint(format.core_channels, ==, row.core_channels);
    g_assert_true(format.sbr == row.sbr);
    g_assert_cmpuint(format.frame_duration(), ==,
                     gst_util_uint64_scale_int(row.core_samples, GST_SECOND, row.core_rate));
  }
}

void test_without_caps () {
  g_assert_cmpuint(AacFormat::of(nullptr).frame_duration(), ==, 1024 * GST_SECOND / 48'000);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/aac-format/configurations", test_configurations);
  g_test_add_func("/aac-format/without-caps", test_without_caps);
  return g_test_run();
}
