// SPDX-License-Identifier: LGPL-2.1-or-later
// The limiter at the end of the mix: nothing above full scale, nothing touched below it, and little
// of it to hear in between. Figures are told, and bounded.
#include "gst/mix/limiter.hpp"

#include <gst/gst.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "gst/mix/mixer.hpp"
#include "tests/unit/mix/spectrum.hpp"

using agora::Limiter;
using agora::Mixer;
using agora::test::power_of;

namespace {

constexpr int kRate = 48000;
constexpr std::size_t kBlock = 480;

using Sound = std::vector<float>;

Sound make (double seconds, const std::function<double(double)> &sound) {
  Sound samples(static_cast<std::size_t>(seconds * kRate));
  for (std::size_t i = 0; i < samples.size(); i++)
    samples[i] = static_cast<float>(sound(static_cast<double>(i) / kRate));
  return samples;
}

double sine (double hertz, double t) {
  return std::sin(2 * M_PI * hertz * t);
}

// Mono, block by block, and the gain after each.
struct Limited {
  Sound sound;
  std::vector<double> gains;
};
Limited limit (const Sound &in, std::size_t block = kBlock) {
  Limited out{.sound = in, .gains = {}};
  Limiter limiter;
  for (std::size_t at = 0; at < in.size(); at += block) {
    limiter.limit(out.sound.data() + at, std::min(block, in.size() - at), 1, kRate);
    out.gains.push_back(limiter.gain());
  }
  return out;
}

float loudest (const Sound &sound) {
  float most = 0;
  for (const float sample : sound)
    most = std::max(most, std::fabs(sample));
  return most;
}

Sound part (const Sound &sound, double from, double to) {
  return {sound.begin() + std::ptrdiff_t(from * kRate), sound.begin() + std::ptrdiff_t(to * kRate)};
}

// Like a voice: buzzing at a pitch of its own, in syllables and pauses of its own, full scale.
Sound voice (unsigned seed, double seconds) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<> any(0, 1);
  const double pitch = 90 + 180 * any(random), syllable = 3 + 2 * any(random), phase = any(random);
  const double wide = 0.1 + 0.1 * any(random);
  Sound sound = make(seconds, [&] (double t) {
    double sum = 0;
    for (int harmonic = 1; harmonic <= 12; harmonic++)
      sum += sine(pitch * harmonic * (1 + 0.002 * sine(5, t)), t + phase) / harmonic;
    const double beat = std::fmod(t * syllable + phase, 1);
    const double loud = beat < 0.7 ? std::sin(M_PI * beat / 0.7) : 0;
    return sum * loud + wide * (any(random) - 0.5) * loud;
  });
  const float most = loudest(sound);
  for (float &sample : sound)
    sample /= most;
  return sound;
}

// Below full scale, and at it, a sample is what it was, to the bit.
void test_untouched () {
  const Sound in = voice(1, 5);
  g_assert_cmpfloat(loudest(in), ==, 1);
  g_assert_true(limit(in).sound == in);
  g_assert_true(limit(make(1, [] (double t) { return sine(1000, t); })).sound ==
                make(1, [] (double t) { return sine(1000, t); }));
}

// How much of `out` is not `in` made softer, 10 ms by 10 ms, in dB: what a gain that moves too fast
// adds.
double distortion (const Sound &in, const Sound &out) {
  double all = 0, rest = 0;
  for (std::size_t at = 0; at + kBlock <= in.size(); at += kBlock) {
    double dry = 0, wet = 0, both = 0;
    for (std::size_t i = at; i < at + kBlock; i++) {
      dry += double(in[i]) * in[i];
      wet += double(out[i]) * out[i];
      both += double(in[i]) * out[i];
    }
    all += wet;
    rest += dry > 0 ? wet - both * both / dry : 0;
  }
  return 10 * log10(std::max(rest / all, 1e-12));
}

// Many at full scale.
void test_sixteen () {
  for (const int speakers : {2, 4, 16}) {
    Sound in(10 * kRate);
    for (int each = 0; each < speakers; each++) {
      const Sound one = voice(unsigned(each), 10);
      for (std::size_t i = 0; i < in.size(); i++)
        in[i] += one[i];
    }
    const Limited out = limit(in);
    std::size_t over = 0;
    Sound clipped = in;
    for (float &sample : clipped) {
      over += std::fabs(sample) > 1;
      sample = std::clamp(sample, -1.f, 1.f);
    }
    double least = 1, most = 0, rises = 0, sum = 0, squares = 0;
    for (std::size_t i = 100; i < out.gains.size(); i++) {
      const double gain = 20 * log10(out.gains[i]);
      least = std::min(least, gain);
      most = i == 100 ? gain : std::max(most, gain);
      rises = std::max(rises, gain - 20 * log10(out.gains[i - 1]));
      sum += gain;
      squares += gain * gain;
    }
    const double n = double(out.gains.size() - 100);
    const double pumping = std::sqrt(squares / n - sum / n * (sum / n));
    const double limiting = distortion(in, out.sound), clipping = distortion(in, clipped);
    g_test_message(
        "%d speakers, peak %.2f, %.1f %% of samples over: gain %.1f to %.1f dB, %.1f on "
        "average +- %.1f, rises by %.2f in 10 ms at most; distortion %.1f dB, %.1f if "
        "it were clipped",
        speakers, double(loudest(in)), 100. * double(over) / double(in.size()), least, most,
        sum / n, pumping, rises, limiting, clipping);
    g_assert_cmpfloat(loudest(out.sound), <=, 1);
    g_assert_cmpfloat(pumping, <, 2);
    g_assert_cmpfloat(rises, <, 1);
    g_assert_cmpfloat(limiting, <, -27);
  }
}

// A steady tone that is too loud is a softer tone, without harmonics.
void test_tone () {
  for (const double hertz : {50., 100., 300., 1000., 5000.})
    for (const double amplitude : {1.1, 2., 16.}) {
      const Limited out = limit(make(3, [&] (double t) { return amplitude * sine(hertz, t); }));
      const auto power = power_of(part(out.sound, 1, 2), kRate, hertz, 20);
      const double rest = 10 * log10(power.rest / power.tone);
      g_test_message("%g Hz at %g: peak %.4f, %.1f dB beside the tone", hertz, amplitude,
                     double(loudest(part(out.sound, 1, 2))), rest);
      g_assert_cmpfloat(loudest(out.sound), <=, 1);
      g_assert_cmpfloat(loudest(part(out.sound, 1, 2)), >, 0.99);
      g_assert_cmpfloat(rest, <, -60);
    }
}

// A peak anywhere in a block: the gain falls before it where there is room, and no sample jumps
// more than the sound itself does.
void test_attack () {
  for (std::size_t at = 0; at < 2 * kBlock; at += 37) {
    Sound in = make(0.2, [] (double t) { return 0.5 * sine(300, t); });
    for (std::size_t i = 0; i < 24; i++)
      in[kBlock * 4 + at + i] += 3 * float(std::sin(M_PI * double(i) / 24));
    const Limited out = limit(in);
    g_assert_cmpfloat(loudest(out.sound), <=, 1);
    float own = 0, got = 0;
    for (std::size_t i = 1; i < in.size(); i++) {
      own = std::max(own, std::fabs(in[i] - in[i - 1]));
      got = std::max(got, std::fabs(out.sound[i] - out.sound[i - 1]));
    }
    g_assert_cmpfloat(got, <=, own);
    // Before the block nothing is known of it.
    const std::size_t block = (kBlock * 4 + at) / kBlock * kBlock;
    g_assert_true(part(out.sound, 0, double(block) / kRate) == part(in, 0, double(block) / kRate));
  }
}

// Four seconds later it is as if nothing had been.
void test_recovers () {
  const Sound in = make(6, [] (double t) { return (t < 0.5 ? 8 : 0.9) * sine(440, t); });
  const Limited out = limit(in);
  double steepest = 0;
  for (std::size_t i = 60; i < out.gains.size(); i++)
    steepest = std::max(steepest, out.gains[i] / out.gains[i - 1]);
  g_test_message("back within a quarter: %.2f s",
                 0.01 * double(std::find_if(out.gains.begin() + 50, out.gains.end(),
                                            [] (double gain) { return gain > 0.75; }) -
                               out.gains.begin() - 50));
  g_assert_true(part(out.sound, 5, 6) == part(in, 5, 6));
}

// One gain for both sides; blocks of any length; what is no number, or too large for a gain.
void test_any () {
  Limiter limiter;
  Sound stereo(2 * kBlock);
  for (std::size_t i = 0; i < kBlock; i++) {
    stereo[2 * i] = 4 * float(sine(500, double(i) / kRate));
    stereo[2 * i + 1] = 0.25f * stereo[2 * i];
  }
  limiter.limit(stereo.data(), kBlock, 2, kRate);
  for (std::size_t i = 0; i < kBlock; i++)
    g_assert_cmpfloat_with_epsilon(stereo[2 * i + 1], 0.25f * stereo[2 * i], 1e-6);
  g_assert_cmpfloat(loudest(stereo), <=, 1);
  for (const std::size_t block : {1, 7, 479, 960, 4800})
    g_assert_cmpfloat(loudest(limit(voice(3, 1), block).sound), <=, 1);
  Sound hostile = make(0.1, [] (double t) { return 2 * sine(100, t); });
  hostile[1] = NAN;
  hostile[700] = INFINITY;
  hostile[701] = -INFINITY;
  hostile[1500] = 3e38f;
  hostile[1501] = -3e38f;
  const Limited out = limit(hostile);
  for (const float sample : out.sound)
    g_assert_true(std::isfinite(sample) && std::fabs(sample) <= 1);
  Limiter empty;
  empty.limit(nullptr, 0, 2, kRate);
}

// In the mixer: it is there unless it is switched off.
void test_mixer () {
  for (const bool limiting : {true, false}) {
    Mixer mixer;
    mixer.configure(kRate, 2);
    mixer.set_limiting(limiting);
    std::vector<std::shared_ptr<agora::PlayoutTimeline>> speakers;
    for (unsigned uid = 1; uid <= 16; uid++)
      speakers.push_back(mixer.add(uid, 50'000'000));
    Sound out(2 * kBlock);
    float most = 0;
    for (std::int64_t block = 0; block < 200; block++) {
      const std::int64_t now = block * 10'000'000;
      const Sound one = make(0.01, [&] (double t) { return sine(1000, t + double(block) * 0.01); });
      for (const auto &speaker : speakers)
        speaker->push(now, now, one.data(), one.size(), kRate, 1);
      mixer.mix(now, out.data(), kBlock);
      most = std::max(most, loudest(out));
    }
    g_test_message("limiter %s: peak %.3f", limiting ? "on" : "off", double(most));
    if (limiting)
      g_assert_cmpfloat(most, <=, 1);
    else
      g_assert_cmpfloat(most, >, 15);
  }
}

}  // namespace

int main (int argc, char **argv) {
  // No plugin is needed, and many leak where they are loaded.
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/limiter/untouched", test_untouched);
  g_test_add_func("/limiter/sixteen", test_sixteen);
  g_test_add_func("/limiter/tone", test_tone);
  g_test_add_func("/limiter/attack", test_attack);
  g_test_add_func("/limiter/recovers", test_recovers);
  g_test_add_func("/limiter/any", test_any);
  g_test_add_func("/limiter/mixer", test_mixer);
  return g_test_run();
}
