// SPDX-License-Identifier: LGPL-2.1-or-later
// What is noticed of a voice: loudness by the signals of EBU Tech 3341, dead air to the block, and
// a gain that gets where it should without being heard.
#include <gst/gst.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <tuple>
#include <vector>

#include "gst/mix/mixer.hpp"
#include "gst/mix/voice-monitor.hpp"
#include "tests/unit/mix/spectrum.hpp"

using agora::AutoGain;
using agora::Loudness;
using agora::LoudnessMeter;
using agora::Mixer;
using agora::MonitorSettings;
using agora::VoiceMonitor;
using agora::test::power_of;

namespace {

constexpr int kRate = 48000;
constexpr std::size_t kBlock = 480;
constexpr double kBlockSeconds = static_cast<double>(kBlock) / kRate;

double linear (double db) {
  return std::pow(10, db / 20);
}

std::vector<float> tone (double hertz, double db, double seconds, int channels) {
  std::vector<float> sound;
  for (int i = 0; i < static_cast<int>(seconds * kRate); i++)
    for (int channel = 0; channel < channels; channel++)
      sound.push_back(static_cast<float>(linear(db) * std::sin(2 * M_PI * hertz * i / kRate)));
  return sound;
}

void in_blocks (const std::vector<float> &sound, int channels,
                const std::function<void(const float *, std::size_t)> &block) {
  const auto width = static_cast<std::size_t>(channels);
  for (std::size_t at = 0; at + kBlock * width <= sound.size(); at += kBlock * width)
    block(sound.data() + at, kBlock);
}

void feed (LoudnessMeter &meter, const std::vector<float> &sound, int channels) {
  in_blocks(sound, channels,
            [&] (const float *in, std::size_t frames) { meter.hear(in, channels, frames); });
}

// Tech 3341, table 1: cases 1 and 2, of which each reading is within 0.1 LU; in mono, too, which
// counts as heard from both sides.
void test_tones () {
  for (const int channels : {1, 2})
    for (const double db : {-23.0, -33.0}) {
      LoudnessMeter meter(kRate);
      feed(meter, tone(1000, db, 20, channels), channels);
      const Loudness loudness = meter.loudness();
      g_assert_cmpfloat_with_epsilon(loudness.momentary, db, 0.1);
      g_assert_cmpfloat_with_epsilon(loudness.short_term, db, 0.1);
      g_assert_cmpfloat_with_epsilon(loudness.integrated, db, 0.1);
    }
}

// Cases 3 and 4: what is far below the rest, and silence, don't count.
void test_gates () {
  for (const std::vector<std::pair<double, double>> &parts :
       {std::vector<std::pair<double, double>>{{-36, 10}, {-23, 60}, {-36, 10}},
        {{-72, 10}, {-36, 10}, {-23, 60}, {-36, 10}, {-72, 10}}}) {
    LoudnessMeter meter(kRate);
    for (const auto &[db, seconds] : parts)
      feed(meter, tone(1000, db, seconds, 2), 2);
    g_assert_cmpfloat_with_epsilon(meter.loudness().integrated, -23, 0.1);
  }
  LoudnessMeter meter(kRate);
  feed(meter, tone(1000, -23, 5, 1), 1);
  for (int i = 0; i < 400; i++)
    meter.hear(nullptr, 0, kBlock);
  g_assert_cmpfloat(meter.loudness().short_term, <=, -70);
  g_assert_cmpfloat_with_epsilon(meter.loudness().integrated, -23, 0.2);
}

void test_nothing_is_silent () {
  const LoudnessMeter meter(kRate);
  g_assert_cmpfloat(meter.loudness().momentary, ==, Loudness::kSilent);
  g_assert_cmpfloat(meter.loudness().integrated, ==, Loudness::kSilent);
}

// To the block: after as long as was asked for, once, and its end.
void test_dead_air () {
  MonitorSettings settings;
  settings.silence_ns = 1'000'000'000;
  settings.silence_below = linear(-60);
  VoiceMonitor monitor(kRate);
  std::vector<std::pair<int, bool>> told;
  int block = 0;
  std::int64_t duration = 0;
  const auto run = [&] (double db, double seconds) {
    const auto sound = tone(1000, db, seconds, 1);
    in_blocks(sound, 1, [&] (const float *in, std::size_t frames) {
      monitor.hear(settings, db < -150 ? nullptr : in, 1, frames);
      block++;
      if (const auto change = monitor.take_change()) {
        told.emplace_back(block, change->silent);
        duration = change->duration_ns;
      }
    });
  };
  run(-20, 1);
  run(-62, 0.99);  // too short
  run(-58, 1);     // loud enough
  run(-200, 0.5);
  run(-62, 2);
  g_assert_cmpuint(told.size(), ==, 1);
  g_assert_cmpint(told[0].first, ==, 100 + 99 + 100 + 100);
  g_assert_true(told[0].second);
  run(-20, 0.5);
  g_assert_cmpuint(told.size(), ==, 2);
  g_assert_cmpint(told[1].first, ==, 100 + 99 + 100 + 250 + 1);
  g_assert_false(told[1].second);
  g_assert_cmpint(duration, ==, 2'500'000'000);
}

// Who leaves in silence isn't silent any more; neither is who isn't watched any more. What nobody
// was told of has no end.
void test_told_silence_ends () {
  constexpr std::int64_t block_ns = 10'000'000;
  MonitorSettings settings;
  settings.silence_ns = 10 * block_ns;
  using Told = std::vector<std::tuple<int, bool, std::int64_t>>;  // uid (-1: the mix), silent, ms
  const auto news = [] (Mixer &mixer) {
    Told told;
    for (const auto &[uid, change] : mixer.take_silences())
      told.emplace_back(uid ? static_cast<int>(*uid) : -1, change.silent,
                        change.duration_ns / 1'000'000);
    return told;
  };
  std::vector<float> out(kBlock);
  std::int64_t now = 0;
  const auto mix = [&] (Mixer &mixer, int blocks) {
    for (int i = 0; i < blocks; i++, now += block_ns)
      mixer.mix(now, out.data(), kBlock);
  };
  const auto silent = [&] (Mixer &mixer) {
    mixer.configure(kRate, 1);
    mixer.set_monitoring(settings);
    for (const std::uint32_t uid : {7, 8, 9})
      mixer.add(uid, 0);
    mix(mixer, 12);
  };
  const Told all_silent = {{7, true, 100}, {8, true, 100}, {9, true, 100}, {-1, true, 100}};

  Mixer mixer;
  silent(mixer);
  g_assert_true(news(mixer) == all_silent);
  mixer.remove(7);
  mixer.finish(8, now, now);
  g_assert_true(news(mixer) == (Told{{7, false, 120}, {8, false, 120}}));
  mixer.finish(9, now, now);
  mix(mixer, 1);
  g_assert_true(news(mixer) == (Told{{9, false, 120}}));

  // Another time, none, and another rate.
  for (const int how : {0, 1, 2}) {
    Mixer other;
    silent(other);
    g_assert_true(news(other) == all_silent);
    MonitorSettings now_wanted = settings;
    now_wanted.silence_ns = how == 0 ? 20 * block_ns : 0;
    if (how == 2)
      other.configure(kRate / 2, 1);
    else
      other.set_monitoring(now_wanted);
    g_assert_true(news(other) ==
                  (Told{{-1, false, 120}, {7, false, 120}, {8, false, 120}, {9, false, 120}}));
    g_assert_true(news(other).empty());
  }

  Mixer untold;
  silent(untold);
  untold.remove(7);
  g_assert_true(news(untold) == (Told{{8, true, 100}, {9, true, 100}, {-1, true, 100}}));
}

// A voice of -40 LUFS: comes up by 15 dB at most, and stays there in a pause, in which noise isn't
// raised further; one that is too loud goes down sooner.
void test_the_gain_gets_there () {
  for (const auto &[sent, reached] :
       {std::pair(-33.0, -23.0), {-45.0, -30.0}, {-12.0, -23.0}, {-23.0, -23.0}}) {
    MonitorSettings settings;
    settings.target = -23;
    VoiceMonitor monitor(kRate);
    const auto hear = [&] (double db, double seconds) {
      in_blocks(tone(1000, db, seconds, 1), 1, [&] (const float *in, std::size_t frames) {
        monitor.hear(settings, in, 1, frames);
      });
    };
    hear(sent, 12);
    const double gain = 20 * std::log10(monitor.gain());
    g_assert_cmpfloat_with_epsilon(sent + gain, reached, 0.3);
    hear(-65, 20);
    for (int i = 0; i < 1000; i++)
      monitor.hear(settings, nullptr, 0, kBlock);
    g_assert_cmpfloat_with_epsilon(20 * std::log10(monitor.gain()), gain, 0.3);
  }
}

// Nobody has said anything: no gain is made of noise.
void test_noise_stays_noise () {
  AutoGain gain;
  for (int i = 0; i < 1000; i++) {
    gain.hear(-55);
    gain.move(-23, AutoGain::kStep);
  }
  g_assert_cmpfloat(gain.gain_db(), ==, 0);
}

// A tone through the mix whose gain moves all the while: what isn't the tone is far below it.
void test_the_gain_is_not_heard () {
  constexpr double kPace = 0.01, kSecond = 1e9;
  Mixer mixer;
  mixer.configure(kRate, 1);
  MonitorSettings settings;
  settings.target = -23;
  mixer.set_monitoring(settings);
  const auto timeline = mixer.add(8, static_cast<std::int64_t>(0.05 * kSecond));
  const auto sound = tone(1000, -35, 6, 1);
  std::vector<float> out;
  for (int block = 0; block < 590; block++) {
    const std::size_t at = static_cast<std::size_t>(block) * kBlock;
    const auto now = static_cast<std::int64_t>(block * kPace * kSecond);
    timeline->push(now, now + static_cast<std::int64_t>(0.015 * kSecond), sound.data() + at, kBlock,
                   kRate, 1);
    std::vector<float> piece(kBlock);
    mixer.mix(now + static_cast<std::int64_t>(0.01 * kSecond), piece.data(), kBlock);
    out.insert(out.end(), piece.begin(), piece.end());
  }
  const std::vector<float> moving(out.begin() + 2 * kRate, out.begin() + 5 * kRate);
  const double before = std::fabs(*std::max_element(moving.begin(), moving.begin() + 480));
  const double after = std::fabs(*std::max_element(moving.end() - 480, moving.end()));
  g_assert_cmpfloat(20 * std::log10(after / before), >, 4);
  const auto power = power_of(moving, kRate, 1000, 60);
  const double rest = 10 * std::log10(power.rest / power.tone);
  g_test_message("what isn't the tone is %.1f dB below it", -rest);
  g_assert_cmpfloat(rest, <, -75);
}

// Off: nothing is made.
void test_off_costs_nothing () {
  Mixer mixer;
  mixer.configure(kRate, 2);
  mixer.add(8, 50'000'000);
  std::vector<float> block(2 * kBlock);
  mixer.mix(0, block.data(), kBlock);
  g_assert_true(mixer.loudness().empty());
  MonitorSettings settings;
  settings.loudness = true;
  mixer.set_monitoring(settings);
  mixer.mix(10'000'000, block.data(), kBlock);
  g_assert_cmpuint(mixer.loudness().size(), ==, 2);
  mixer.set_monitoring({});
  mixer.mix(20'000'000, block.data(), kBlock);
  g_assert_true(mixer.loudness().empty());
}

}  // namespace

int main (int count, char **words) {
  g_test_init(&count, &words, nullptr);
  g_test_add_func("/monitor/tones", test_tones);
  g_test_add_func("/monitor/gates", test_gates);
  g_test_add_func("/monitor/nothing-is-silent", test_nothing_is_silent);
  g_test_add_func("/monitor/dead-air", test_dead_air);
  g_test_add_func("/monitor/told-silence-ends", test_told_silence_ends);
  g_test_add_func("/monitor/gain-gets-there", test_the_gain_gets_there);
  g_test_add_func("/monitor/noise-stays-noise", test_noise_stays_noise);
  g_test_add_func("/monitor/gain-is-not-heard", test_the_gain_is_not_heard);
  g_test_add_func("/monitor/off-costs-nothing", test_off_costs_nothing);
  return g_test_run();
}
