// SPDX-License-Identifier: LGPL-2.1-or-later
// Opus that an encoder of the test's own made, with packets that are missing.
#include "gst/rtmp/opus-voice.hpp"

#include <glib.h>
#include <opus.h>

#include <cmath>
#include <numbers>
#include <random>
#include <span>
#include <vector>

using agora::OpusPacket;
using agora::OpusVoice;

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr int kRate = OpusVoice::kRate;

// A voice of sorts: harmonics of a pitch that moves, in syllables.
std::vector<float> voice (double seconds, int channels) {
  std::vector<float> samples;
  double phase = 0;
  const auto count = static_cast<std::size_t>(seconds * kRate);
  for (std::size_t i = 0; i < count; i++) {
    const double t = static_cast<double>(i) / kRate;
    phase += 2 * std::numbers::pi * (150 + 40 * std::sin(2 * std::numbers::pi * 1.7 * t)) / kRate;
    double value = 0;
    for (int harmonic = 1; harmonic < 12; harmonic++)
      value += std::sin(harmonic * phase) / harmonic;
    const double loudness = 0.6 + 0.4 * std::sin(2 * std::numbers::pi * 3.1 * t);
    for (int c = 0; c < channels; c++)
      samples.push_back(static_cast<float>(0.15 * loudness * value));
  }
  return samples;
}

struct Coding {
  int channels = 1;
  int application = OPUS_APPLICATION_VOIP;
  int bitrate = 24'000;
  bool fec = false;
  bool dtx = false;
  unsigned samples = 960;
};

std::vector<Bytes> encoded (const std::vector<float> &sound, const Coding &coding) {
  int error = 0;
  OpusEncoder *encoder = opus_encoder_create(kRate, coding.channels, coding.application, &error);
  g_assert_cmpint(error, ==, OPUS_OK);
  opus_encoder_ctl(encoder, OPUS_SET_BITRATE(coding.bitrate));
  opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(coding.fec));
  opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(coding.fec ? 20 : 0));
  opus_encoder_ctl(encoder, OPUS_SET_DTX(coding.dtx));
  std::vector<Bytes> packets;
  const std::size_t step = std::size_t{coding.samples} * coding.channels;
  for (std::size_t at = 0; at + step <= sound.size(); at += step) {
    Bytes packet(4000);
    const int size = opus_encode_float(encoder, sound.data() + at, static_cast<int>(coding.samples),
                                       packet.data(), static_cast<opus_int32>(packet.size()));
    g_assert_cmpint(size, >, 0);
    packet.resize(static_cast<std::size_t>(size));
    packets.push_back(std::move(packet));
  }
  opus_encoder_destroy(encoder);
  return packets;
}

OpusVoice::Sound decode (OpusVoice &voice, const Bytes &bytes, unsigned missing = 0) {
  const auto packet = OpusPacket::of(bytes);
  g_assert_true(packet.has_value());
  const auto sound = voice.decode(bytes, *packet, missing);
  g_assert_true(sound.has_value());
  g_assert_cmpuint(sound->frames, ==, packet->samples);
  return *sound;
}

std::vector<std::vector<float>> decoded (const std::vector<Bytes> &packets, int channels) {
  OpusVoice voice(channels, 0);
  std::vector<std::vector<float>> all;
  for (const Bytes &each : packets) {
    const auto sound = decode(voice, each);
    all.emplace_back(sound.samples, sound.samples + sound.frames * channels);
  }
  return all;
}

double alike (std::span<const float> one, std::span<const float> other) {
  double both = 0, first = 1e-12, second = 1e-12;
  for (std::size_t i = 0; i < one.size(); i++) {
    both += one[i] * other[i];
    first += one[i] * one[i];
    second += other[i] * other[i];
  }
  return both / std::sqrt(first * second);
}

// Of each tenth packet that is missing, by the one after it, and made up by the one before it: how
// like it is what the packet would have been.
struct Patched {
  double mended = 0;
  double made_up = 0;
  double after = 0;  // the packet after it, as it sounds then
};
Patched patched (const Coding &coding) {
  const auto packets = encoded(voice(4, coding.channels), coding);
  const auto whole = decoded(packets, coding.channels);
  OpusVoice voice(coding.channels, 0);
  Patched sum;
  int count = 0;
  std::shared_ptr<const agora::Continuation> last;
  const std::size_t size = whole.front().size();
  for (std::size_t at = 0; at < packets.size(); at++) {
    if (at % 10 == 9)
      continue;
    const bool follows_hole = at % 10 == 0 && at > 0;
    const auto sound = decode(voice, packets[at], follows_hole ? coding.samples : 0);
    if (follows_hole) {
      g_assert_nonnull(sound.context.mended);
      g_assert_cmpuint(sound.context.before, ==, coding.samples);
      std::vector<float> made(size);
      last->begin()->make_up(made.data(), coding.samples);
      sum.mended += alike({sound.context.mended, size}, whole[at - 1]);
      sum.after += alike({sound.context.mended + size, size}, whole[at]);
      sum.made_up += alike(made, whole[at - 1]);
      count++;
    }
    last = sound.context.after;
  }
  return {sum.mended / count, sum.made_up / count, sum.after / count};
}

void test_restored () {
  for (const int channels : {1, 2}) {
    const Patched with = patched({.channels = channels, .bitrate = 24'000 * channels, .fec = true});
    g_test_message("%d channels: FEC %.3f, made up %.3f, and then %.3f", channels, with.mended,
                   with.made_up, with.after);
    g_assert_cmpfloat(with.mended, >, 0.65);
    g_assert_cmpfloat(with.mended, >, with.made_up + 0.1);
    g_assert_cmpfloat(with.after, >, 0.9);
  }
  // Without it, it is what is made up.
  const Patched without = patched({});
  g_assert_cmpfloat(std::fabs(without.mended - without.made_up), <, 0.02);
}

void test_has_fec () {
  const auto share = [] (const Coding &coding) {
    int with = 0;
    const auto packets = encoded(voice(2, coding.channels), coding);
    for (const Bytes &each : packets)
      with += OpusPacket::of(each)->has_fec;
    return with / static_cast<double>(packets.size());
  };
  for (const int channels : {1, 2})
    for (const unsigned samples : {480U, 960U, 1920U, 2880U}) {
      Coding coding = {.channels = channels, .bitrate = 24'000 * channels, .samples = samples};
      g_assert_cmpfloat(share(coding), ==, 0);
      coding.fec = true;
      g_assert_cmpfloat(share(coding), >, 0.5);
      coding.application = OPUS_APPLICATION_RESTRICTED_LOWDELAY;
      if (samples <= 960)
        g_assert_cmpfloat(share(coding), ==, 0);
    }
}

// What was made up has no part in what is decoded afterwards: it was late, and not lost.
void test_leaves_alone () {
  for (const int application : {OPUS_APPLICATION_VOIP, OPUS_APPLICATION_AUDIO}) {
    const Coding coding = {.application = application, .bitrate = 48'000};
    const auto packets = encoded(voice(1, 1), coding);
    const auto whole = decoded(packets, 1);
    OpusVoice voice(1, 0);
    for (std::size_t at = 0; at < packets.size(); at++) {
      // The timestamps say that something is missing, too, and are wrong.
      const auto sound = decode(voice, packets[at], at % 3 == 1 ? 2000 : 0);
      g_assert_true(std::equal(whole[at].begin(), whole[at].end(), sound.samples));
      std::vector<float> once(3333), again(3333);
      sound.context.after->begin()->make_up(once.data(), once.size());
      const auto goes_on = sound.context.after->begin();
      for (std::size_t i = 0; i < again.size(); i += 101)
        goes_on->make_up(again.data() + i, std::min<std::size_t>(101, again.size() - i));
      g_assert_true(once == again);
    }
  }
}

// It goes on where the sound ended, and fades by itself.
void test_goes_on () {
  const auto packets = encoded(voice(1, 1), {.bitrate = 32'000});
  const auto whole = decoded(packets, 1);
  OpusVoice voice(1, 0);
  std::shared_ptr<const agora::Continuation> after;
  for (std::size_t at = 0; at < 30; at++)
    after = decode(voice, packets[at]).context.after;
  std::vector<float> made(960);
  after->begin()->make_up(made.data(), made.size());
  g_assert_cmpfloat(std::fabs(made.front() - whole[29].back()), <, 0.05);
  g_test_message("alike by %.2f", alike(made, whole[30]));
  g_assert_cmpfloat(alike(made, whole[30]), >, 0.5);
}

// What is missing for too long isn't made up here; its last packet is there yet.
void test_long_holes () {
  const auto plain = encoded(voice(1, 1), {});
  const auto with = encoded(voice(1, 1), {.fec = true});
  OpusVoice voice(1, 0);
  decode(voice, plain[0]);
  g_assert_cmpuint(decode(voice, plain[1], 5760).context.before, ==, 5760);
  g_assert_cmpuint(decode(voice, plain[2], 961).context.before, ==, 1080);
  const auto longer = decode(voice, plain[3], 5761);
  g_assert_cmpuint(longer.context.before, ==, 0);
  g_assert_null(longer.context.mended);
  OpusVoice other(1, 0);
  for (std::size_t at = 0; at < 20; at++)
    decode(other, with[at]);
  g_assert_true(OpusPacket::of(with[40])->has_fec);
  g_assert_cmpuint(decode(other, with[40], 20 * 960).context.before, ==, 960);
}

void test_rests () {
  std::vector<float> sound = voice(1, 1);
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, 0.0005F);
  for (int i = 0; i < 2 * kRate; i++)
    sound.push_back(noise(random));
  const auto packets = encoded(sound, {.dtx = true});
  OpusVoice voice(1, 0);
  int rests = 0;
  for (std::size_t at = 0; at < packets.size(); at++) {
    const auto out = decode(voice, packets[at]);
    g_assert_true(at >= 50 || !out.context.rests);
    rests += out.context.rests;
    // A stamp in it, which may be longer than the packet, changes nothing.
    const auto stamped = agora::stamp_opus(packets[at], 1);
    g_assert_true(stamped && OpusPacket::of(*stamped)->rests == out.context.rests);
  }
  g_test_message("%d of %d rest", rests, static_cast<int>(packets.size()));
  g_assert_cmpint(rests, >, 50);
}

void test_gain () {
  const auto packets = encoded(voice(0.5, 1), {});
  OpusVoice plain(1, 0), louder(1, 6 * 256);
  for (const Bytes &each : packets) {
    const float sample = decode(plain, each).samples[500];
    g_assert_cmpfloat(std::fabs(decode(louder, each).samples[500] - 1.995F * sample), <, 0.001);
  }
}

// Whatever comes: libopus takes it, or nothing does.
void test_hostile () {
  std::mt19937 random(7);
  OpusVoice voice(2, 0);
  int taken = 0;
  for (int i = 0; i < 20'000; i++) {
    Bytes bytes(1 + random() % 60);
    for (std::uint8_t &each : bytes)
      each = static_cast<std::uint8_t>(random());
    const auto packet = OpusPacket::of(bytes);
    if (!packet)
      continue;
    const auto sound = voice.decode(bytes, *packet, i % 4 ? 0 : random() % 20'000);
    if (!sound)
      continue;
    taken++;
    g_assert_cmpuint(sound->frames, ==, packet->samples);
    if (i % 50 == 0) {
      std::vector<float> more(2 * 2000);
      sound->context.after->begin()->make_up(more.data(), 2000);
      for (const float each : more)
        g_assert_true(std::isfinite(each));
    }
  }
  g_assert_cmpint(taken, >, 1000);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/opus-voice/restored", test_restored);
  g_test_add_func("/opus-voice/has-fec", test_has_fec);
  g_test_add_func("/opus-voice/leaves-alone", test_leaves_alone);
  g_test_add_func("/opus-voice/goes-on", test_goes_on);
  g_test_add_func("/opus-voice/long-holes", test_long_holes);
  g_test_add_func("/opus-voice/rests", test_rests);
  g_test_add_func("/opus-voice/gain", test_gain);
  g_test_add_func("/opus-voice/hostile", test_hostile);
  return g_test_run();
}
