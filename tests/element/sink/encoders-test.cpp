// SPDX-License-Identifier: LGPL-2.1-or-later
// How late each AAC encoder is that agorasink may choose: by its timestamps, which agorasink has to
// know to say when a sound was captured, and in all, which decides who is chosen.
#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>

#include <cmath>
#include <string>
#include <vector>

#include "gst/common/codecs.hpp"
#include "gst/common/gst-ptr.hpp"

namespace {

using agora::aac_encoders;
using agora::AacEncoder;
using agora::BufferPtr;
using agora::ObjectPtr;

// Small, so that what an encoder holds back is known to a few samples.
constexpr std::size_t kBlock = 64;
constexpr std::size_t kAll = 16'384;
// Where the sound is, in silence: a rustle, which is like itself nowhere else.
constexpr std::size_t kBegin = 6000;
constexpr std::size_t kLength = 2048;
constexpr int kMost = 5000;

struct Delay {
  int stamps = 0;       // what comes out is so many samples later than its timestamp
  std::size_t all = 0;  // and this is the most that was held back at any time
};

std::vector<float> make_sound () {
  std::vector<float> sound(kAll);
  guint32 seed = 1;
  float smooth = 0;
  for (std::size_t i = kBegin; i < kBegin + kLength; i++) {
    seed = seed * 1'664'525 + 1'013'904'223;
    const float noise = static_cast<float>(seed >> 8) / (1 << 23) - 1;
    smooth += 0.3F * (noise - smooth);
    sound[i] = 0.5F * smooth;
  }
  return sound;
}

// Puts what has come where its timestamps say. Where the last of it ended.
std::size_t take (GstHarness *harness, int rate, std::vector<float> &out) {
  std::size_t end = 0;
  while (GstBuffer *next = gst_harness_try_pull(harness)) {
    const BufferPtr buffer(next);
    std::size_t at =
        gst_util_uint64_scale_round(GST_BUFFER_PTS(next), static_cast<guint64>(rate), GST_SECOND);
    std::vector<float> samples(gst_buffer_get_size(next) / sizeof(float));
    gst_buffer_extract(next, 0, samples.data(), samples.size() * sizeof(float));
    for (const float sample : samples) {
      if (at < out.size())
        out[at] = sample;
      at++;
    }
    end = at;
  }
  return end;
}

// By how many samples `heard` is later.
int shift (const std::vector<float> &sent, const std::vector<float> &heard) {
  int best = 0;
  double most = 0;
  for (int by = 0; by < kMost; by++) {
    double product = 0;
    for (std::size_t i = kBegin; i < kBegin + kLength; i++)
      product += static_cast<double>(sent[i]) * heard[i + static_cast<std::size_t>(by)];
    if (product > most) {
      most = product;
      best = by;
    }
  }
  return best;
}

// `there_and_back`: encoder and decoder.
Delay measure (const std::string &there_and_back, int rate) {
  const std::string line =
      "audioconvert ! " + there_and_back +
      " ! audioconvert ! "
      "capsfilter caps=audio/x-raw,format=" GST_AUDIO_NE(F32) ",layout=interleaved";
  GstHarness *harness = gst_harness_new_parse(line.c_str());
  const std::string caps =
      std::string("audio/x-raw,format=" GST_AUDIO_NE(F32) ",layout=interleaved,channels=1,rate=") +
      std::to_string(rate);
  gst_harness_set_src_caps_str(harness, caps.c_str());
  const std::vector<float> sent = make_sound();
  std::vector<float> heard(kAll + 2 * kMost);
  std::size_t given = 0;
  Delay delay;
  for (std::size_t at = 0; at < kAll; at += kBlock) {
    GstBuffer *block = gst_buffer_new_memdup(sent.data() + at, kBlock * sizeof(float));
    GST_BUFFER_PTS(block) = gst_util_uint64_scale_round(at, GST_SECOND, static_cast<guint64>(rate));
    GST_BUFFER_DURATION(block) =
        gst_util_uint64_scale_round(kBlock, GST_SECOND, static_cast<guint64>(rate));
    g_assert_cmpint(gst_harness_push(harness, block), ==, GST_FLOW_OK);
    given = std::max(given, take(harness, rate, heard));
    delay.all = std::max(delay.all, at + kBlock - std::min(at + kBlock, given));
  }
  gst_harness_push_event(harness, gst_event_new_eos());
  take(harness, rate, heard);
  gst_harness_teardown(harness);
  delay.stamps = shift(sent, heard);
  delay.all += static_cast<std::size_t>(delay.stamps);
  return delay;
}

void test_delays () {
  std::size_t before = 0;
  for (const AacEncoder &encoder : aac_encoders()) {
    const ObjectPtr<GstElementFactory> factory(gst_element_factory_find(encoder.name));
    if (!factory) {
      g_test_message("%s is not installed", encoder.name);
      continue;
    }
    for (const int rate : {32'000, 48'000, 96'000}) {
      const Delay delay = measure(
          // A bit rate at which the rustle is still one.
          std::string(encoder.name) + " bitrate=96000 ! avdec_aac", rate);
      g_test_message("%s at %d Hz: look-ahead %d samples, in all %.1f ms", encoder.name, rate,
                     delay.stamps, 1e3 * static_cast<double>(delay.all) / rate);
      g_assert_cmpint(std::abs(delay.stamps - static_cast<int>(encoder.priming)), <=, 1);
      // The quickest comes first.
      if (rate == 48'000) {
        g_assert_cmpuint(delay.all, >=, before);
        before = delay.all;
      }
    }
  }
  g_assert_cmpuint(before, >, 0);
}

// opusenc takes what it looks ahead off its timestamps: InputChain::lookahead() counts on it.
void test_opus () {
  for (const char *how : {"frame-size=20", "frame-size=10 audio-type=restricted-lowdelay"}) {
    const Delay delay = measure(std::string("opusenc bitrate=96000 ") + how + " ! opusdec", 48'000);
    g_test_message("opusenc %s: %d samples later than its timestamps say", how, delay.stamps);
    g_assert_cmpint(delay.stamps, <=, 48);
    // It looks ahead all the same.
    g_assert_cmpuint(delay.all, >, 480);
  }
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  const ObjectPtr<GstElementFactory> decoder(gst_element_factory_find("avdec_aac"));
  if (decoder)
    g_test_add_func("/sink/encoders/delays", test_delays);
  else
    g_test_add_func("/sink/encoders/delays", [] { g_test_skip("avdec_aac is not installed"); });
  g_test_add_func("/sink/encoders/opus", test_opus);
  return g_test_run();
}
