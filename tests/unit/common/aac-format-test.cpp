// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/aac-format.hpp"

#include <vector>

namespace {

using agora::AacFormat;

agora::CapsPtr caps_of (const std::vector<std::uint8_t> &config, int rate, int channels) {
  agora::BufferPtr codec_data(gst_buffer_new_allocate(nullptr, config.size(), nullptr));
  gst_buffer_fill(codec_data.get(), 0, config.data(), config.size());
  return agora::CapsPtr(gst_caps_new_simple(
      "audio/mpeg", "mpegversion", G_TYPE_INT, 4, "rate", G_TYPE_INT, rate, "channels", G_TYPE_INT,
      channels, "codec_data", GST_TYPE_BUFFER, codec_data.get(), nullptr));
}

AacFormat format_of (const std::vector<std::uint8_t> &config, int rate, int channels) {
  return AacFormat::of(caps_of(config, rate, channels).get());
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

// What nothing can decode is said by name, and what is broken by what is wrong with it.
void test_words () {
  const struct {
    std::vector<std::uint8_t> config;
    const char *name, *fault;  // parts of them
  } rows[] = {
      {{0x11, 0x88}, "AAC-LC (object type 2), configuration 1188", ""},
      {{0x11, 0xb8}, "AAC-LC", ""},
      {{0x2b, 0x09, 0x88, 0x00}, "HE-AAC (object type 5)", ""},
      {{0xf9, 0x46, 0x10}, "xHE-AAC (object type 42), configuration f94610", ""},
      {{0xf8, 0x86, 0x80, 0x00}, "MPEG-4 ALS (object type 36)", ""},
      {{0xf8, 0xe6, 0x20}, "AAC-ELD (object type 39)", ""},
      {{0xff, 0xe6, 0x20}, "MPEG-4 audio (object type 95)", ""},
      {{0x01, 0x88}, "MPEG-4 audio (object type 0)", "configuration 0188 names no object type (0)"},
      {{0x16, 0x88}, "AAC-LC", "configuration 1688 names no sample rate"},
      {{0x17, 0x80, 0x00, 0x00, 0x08}, "AAC-LC", "names no sample rate"},
      {{0x11, 0x80}, "AAC-LC", "names no channels (0, and no program config element)"},
      {{0x11, 0xc8}, "AAC-LC", "names channels that no standard has (9)"},
      {{0x11}, "AAC", "is too short"},
      // Stereo by a program config element.
      {{0x11, 0x80, 0x04, 0x44, 0x00, 0x20, 0x00, 0x00, 0x00}, "AAC-LC", ""},
      {{}, "AAC", ""},
  };
  for (const auto &row : rows) {
    const agora::CapsPtr caps = caps_of(row.config, 48'000, 1);
    const std::string name = agora::describe_aac(caps.get());
    const std::string fault = agora::aac_fault(caps.get());
    g_test_message("%s; %s", name.c_str(), fault.c_str());
    g_assert_true(name.find(row.name) == 0);
    g_assert_true(fault.find(row.fault) != std::string::npos && fault.empty() == !*row.fault);
  }
  g_assert_true(agora::aac_fault(nullptr).empty());
  const agora::CapsPtr raw(gst_caps_new_empty_simple("audio/x-raw"));
  g_assert_true(agora::aac_fault(raw.get()).empty());
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/aac-format/configurations", test_configurations);
  g_test_add_func("/aac-format/words", test_words);
  g_test_add_func("/aac-format/without-caps", test_without_caps);
  return g_test_run();
}
