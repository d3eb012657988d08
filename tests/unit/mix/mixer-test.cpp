// SPDX-License-Identifier: LGPL-2.1-or-later
// The mix of several speakers on a clock of the test's own: what each sends is known to the sample,
// and so is what must come out.
#include "gst/mix/mixer.hpp"

#include <gst/gst.h>

#include <cmath>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "tests/unit/mix/spectrum.hpp"

using agora::Fader;
using agora::Mixer;
using agora::test::power_of;

namespace {

constexpr int kRate = 48000;
constexpr double kBlock = 0.01;  // seconds, also of what a speaker sends at once
constexpr double kPath = 0.005;
constexpr double kDelay = 0.05;
// From a sample's capture to its place in the mix.
constexpr double kAge = kBlock + kPath + kDelay;
constexpr double kSecond = 1e9;

std::int64_t ns (double seconds) {
  return std::llround(seconds * kSecond);
}

struct Voice {
  // At a second of the clock, in a channel.
  std::function<double(double, int)> sound;
  double begin = 0;
  double end = 1e9;
  // Between these nothing of it arrives; all that was sent meanwhile comes at the end.
  double stall = 1e9, thaw = 1e9;
  int channels = 1;
  int rate = kRate;
  long sent = 0;  // blocks
  std::shared_ptr<agora::PlayoutTimeline> timeline;
};

std::function<double(double, int)> constant (double left, double right) {
  return [=] (double, int channel) { return channel ? right : left; };
}

std::function<double(double, int)> tone (double hertz, double amplitude) {
  return [=] (double t, int) { return amplitude * std::sin(2 * M_PI * hertz * t); };
}

// A value that tells when it was captured; another slope for each speaker.
std::function<double(double, int)> ramp (double slope) {
  return [=] (double t, int) { return slope * t; };
}

class Rig {
 public:
  explicit Rig(int channels = 2, int rate = kRate) { configure(rate, channels); }

  void configure (int rate, int channels) {
    rate_ = rate;
    channels_ = channels;
    mixer.configure(rate, channels);
  }

  void run (double until) {
    for (; now_ + kBlock / 2 < until; now_ = ++blocks_ * kBlock) {
      for (auto &[uid, voice] : voices)
        arrive(uid, voice);
      std::vector<float> block(static_cast<std::size_t>(rate_ * kBlock) * channels_);
      mixer.mix(ns(now_), block.data(), block.size() / channels_);
      for (std::size_t i = 0; i < block.size(); i += channels_) {
        const std::size_t frame = i / channels_;
        at.push_back(now_ + static_cast<double>(frame) / rate_);
        left.push_back(block[i]);
        right.push_back(block[i + channels_ - 1]);
      }
    }
  }

  // Those samples of one side that are due in this time.
  std::vector<float> part (const std::vector<float> &side, double from, double to) const {
    std::vector<float> found;
    for (std::size_t i = 0; i < side.size(); i++)
      if (at[i] >= from && at[i] < to)
        found.push_back(side[i]);
    return found;
  }

  Mixer mixer;
  std::map<std::uint32_t, Voice> voices;
  std::vector<double> at;
  std::vector<float> left, right;

 private:
  // What is here by the end of the block that comes next.
  void arrive (std::uint32_t uid, Voice &voice) {
    const double by = now_ + kBlock;
    if (by <= voice.begin)
      return;
    if (!voice.timeline)
      voice.timeline = mixer.add(uid, ns(kDelay));
    if (now_ >= voice.end) {
      if (voice.sent >= 0)
        mixer.remove(uid);
      voice.sent = -1;
    }
    for (; voice.sent >= 0; voice.sent++) {
      const double captured = voice.begin + voice.sent * kBlock;
      double arrives = captured + kBlock + kPath;
      if (arrives >= voice.stall && arrives < voice.thaw)
        arrives = voice.thaw;
      if (arrives > by + 1e-9 || captured + kBlock > voice.end)
        return;
      const auto frames = static_cast<std::size_t>(voice.rate * kBlock);
      std::vector<float> samples;
      for (std::size_t i = 0; i < frames; i++)
        for (int channel = 0; channel < voice.channels; channel++)
          samples.push_back(static_cast<float>(
              voice.sound(captured + static_cast<double>(i) / voice.rate, channel)));
      voice.timeline->push(ns(captured), ns(arrives), samples.data(), frames, voice.rate,
                           voice.channels);
    }
  }

  int rate_ = kRate;
  int channels_ = 2;
  long blocks_ = 0;
  double now_ = 0;
};

double mean (const std::vector<float> &samples) {
  g_assert_cmpuint(samples.size(), >, 0);
  double sum = 0;
  for (const float sample : samples)
    sum += sample;
  return sum / static_cast<double>(samples.size());
}

double largest_step (const std::vector<float> &samples) {
  double largest = 0;
  for (std::size_t i = 1; i < samples.size(); i++)
    largest = std::max<double>(largest, std::fabs(samples[i] - samples[i - 1]));
  return largest;
}

double most_apart (const std::vector<float> &one, const std::vector<float> &other) {
  g_assert_cmpuint(one.size(), ==, other.size());
  double most = 0;
  for (std::size_t i = 0; i < one.size(); i++)
    most = std::max<double>(most, std::fabs(one[i] - other[i]));
  return most;
}

#define assert_near(a, b, within) g_assert_cmpfloat_with_epsilon(a, b, within)

// One who speaks throughout, one who comes and goes and one who stalls: the first is in the mix
// sample for sample, and all of it is what each of them would be alone.
void test_sum () {
  const std::map<std::uint32_t, Voice> cast = {
      {1, {.sound = ramp(0.01)}},
      {2, {.sound = tone(440, 0.2), .begin = 2, .end = 5}},
      {3, {.sound = tone(1234, 0.3), .begin = 1, .stall = 3, .thaw = 5.5}},
      {4, {.sound = tone(700, 0.1), .begin = 4, .channels = 2}}};
  Rig together;
  together.voices = cast;
  together.run(8);
  std::vector<float> sum(together.left.size());
  for (const auto &[uid, voice] : cast) {
    Rig alone;
    alone.voices = {{uid, voice}};
    alone.run(8);
    if (uid != 1)
      g_assert_cmpfloat(largest_step(alone.left), >, 0.005);
    for (std::size_t i = 0; i < sum.size(); i++)
      sum[i] += alone.left[i];
    if (uid == 1)
      for (std::size_t i = 0; i < alone.left.size(); i++)
        if (alone.at[i] > 0.2)
          assert_near(alone.left[i], 0.01 * (alone.at[i] - kAge), 1e-6);
  }
  g_assert_cmpfloat(most_apart(together.left, sum), <, 1e-6);
  g_assert_cmpfloat(most_apart(together.right, sum), <, 1e-6);
  g_assert_cmpuint(together.left.size(), ==, 8 * kRate);
  // While the third stalls and the second has gone there is nothing but the others.
  g_assert_cmpuint(together.voices[3].timeline->stats().underruns, ==, 1);
}

void test_faders () {
  const struct {
    Fader fader;
    double left, right, mono;
  } cases[] = {{{}, 1, 1, 1},
               {{.volume = 0.5}, 0.5, 0.5, 0.5},
               {{.volume = 4}, 4, 4, 4},
               {{.volume = 0}, 0, 0, 0},
               {{.mute = true}, 0, 0, 0},
               {{.volume = 2, .mute = true}, 0, 0, 0},
               {{.pan = -1}, 1, 0, 1},
               {{.pan = 1}, 0, 1, 1},
               {{.pan = 0.25}, 0.75, 1, 1},
               {{.volume = 0.5, .pan = -0.5}, 0.5, 0.25, 0.5}};
  for (const int channels : {1, 2}) {
    Rig rig(channels);
    rig.voices[5].sound = constant(0.1, 0.1);
    rig.voices[6].sound = constant(0.01, 0.01);
    rig.run(1);
    double now = 1;
    for (const auto &each : cases) {
      rig.mixer.set_fader(5, each.fader);
      rig.run(now + 0.2);
      const double from = now + 0.1;
      now += 0.2;
      const double left = mean(rig.part(rig.left, from, now));
      const double right = mean(rig.part(rig.right, from, now));
      assert_near(left, 0.01 + 0.1 * (channels == 1 ? each.mono : each.left), 1e-5);
      assert_near(right, 0.01 + 0.1 * (channels == 1 ? each.mono : each.right), 1e-5);
    }
  }
}

// Whose fader says solo is heard alone, for as long as there is somebody who is solo.
void test_solo () {
  Rig rig;
  for (const std::uint32_t uid : {1, 2, 3})
    rig.voices[uid].sound = constant(std::pow(10, -double(uid)), std::pow(10, -double(uid)));
  rig.voices[2].end = 4;
  // Nobody there: it counts for nothing.
  rig.mixer.set_fader(9, {.solo = true});
  rig.run(1);
  assert_near(mean(rig.part(rig.left, 0.5, 1)), 0.111, 1e-5);
  rig.mixer.set_fader(2, {.solo = true});
  rig.run(2);
  assert_near(mean(rig.part(rig.left, 1.5, 2)), 0.01, 1e-5);
  rig.mixer.set_fader(3, {.volume = 2, .solo = true});
  rig.run(3);
  assert_near(mean(rig.part(rig.left, 2.5, 3)), 0.012, 1e-5);
  // Muted is silent, solo or not; solo it still is.
  rig.mixer.set_fader(3, {.mute = true, .solo = true});
  rig.run(3.9);
  assert_near(mean(rig.part(rig.left, 3.5, 3.9)), 0.01, 1e-5);
  rig.mixer.set_fader(3, {});
  // The last one who was solo goes.
  rig.run(6);
  assert_near(mean(rig.part(rig.left, 5, 6)), 0.101, 1e-5);
  // And comes back, with its fader as it was.
  rig.voices[2] = {.sound = constant(0.01, 0.01), .begin = 6};
  rig.run(8);
  assert_near(mean(rig.part(rig.left, 7, 8)), 0.01, 1e-5);
}

// Whatever is moved while a tone plays, it glides.
void test_no_click () {
  constexpr double amplitude = 0.5, hertz = 1000;
  const Fader steps[] = {{},          {.volume = 0.3}, {.mute = true}, {.volume = 2},
                         {.pan = -1}, {.pan = 1},      {.volume = 0},  {}};
  Rig rig;
  rig.voices[1].sound = tone(hertz, amplitude);
  rig.voices[2].sound = constant(0, 0);
  rig.run(1);
  double now = 1;
  // Power of the tone as it was sent; and what there is beside it in the worst second.
  const double sent = power_of(rig.part(rig.left, 0, 1), kRate, hertz, 500).tone;
  double loudest = 1, worst = 0;
  for (const Fader &fader : steps) {
    rig.mixer.set_fader(1, fader);
    loudest = std::max(loudest, fader.volume);
    rig.run(now += 1);
    for (const auto *side : {&rig.left, &rig.right})
      worst =
          std::max(worst, power_of(rig.part(*side, now - 1.5, now - 0.5), kRate, hertz, 500).rest);
  }
  rig.mixer.set_fader(2, {.solo = true});
  rig.run(now += 1);
  rig.mixer.set_fader(2, {});
  rig.run(now += 1);
  const double own = 2 * amplitude * std::sin(M_PI * hertz / kRate) * loudest;
  const double glide = amplitude * loudest / (kRate * kBlock);
  for (const auto *side : {&rig.left, &rig.right})
    g_assert_cmpfloat(largest_step(rig.part(*side, 0.5, now)), <, own + glide);
  const double splatter = 10 * std::log10(worst / sent);
  g_test_message("worst second: %.1f dB outside of the tone", splatter);
  g_assert_cmpfloat(splatter, <, -60);
}

// Set while there is nothing to hear, a fader counts from the first sample.
void test_set_in_silence () {
  Rig rig;
  rig.voices[1] = {.sound = constant(0.5, 0.5), .stall = 2, .thaw = 3};
  rig.voices[2] = {.sound = constant(0.5, 0.5), .begin = 1};
  rig.mixer.set_fader(2, {.mute = true});
  rig.run(2.5);
  assert_near(mean(rig.part(rig.left, 2.4, 2.5)), 0, 1e-6);
  rig.mixer.set_fader(1, {.mute = true});
  rig.run(4);
  for (const float sample : rig.part(rig.left, 2.4, 4))
    g_assert_cmpfloat(std::fabs(sample), <, 1e-6);
}

void test_channels () {
  for (const int channels : {1, 2}) {
    Rig rig(channels);
    rig.voices[1] = {.sound = constant(0.4, -0.1), .channels = 2};
    rig.voices[2] = {.sound = constant(0.02, 0)};
    rig.run(1);
    assert_near(mean(rig.part(rig.left, 0.5, 1)), channels == 1 ? 0.15 + 0.02 : 0.42, 1e-5);
    assert_near(mean(rig.part(rig.right, 0.5, 1)), channels == 1 ? 0.15 + 0.02 : -0.08, 1e-5);
  }
}

// Each of them plays what was captured as long ago as before, and goes on without a step.
void test_another_rate () {
  constexpr double slope = 0.01;
  Rig rig(1);
  for (const std::uint32_t uid : {1, 2})
    rig.voices[uid] = {.sound = ramp(slope), .rate = uid == 1 ? kRate : 32000};
  double now = 2;
  rig.run(now);
  for (const auto &[rate, channels] : {std::pair{44100, 1}, {8000, 2}, {192000, 2}, {96000, 1}}) {
    rig.configure(rate, channels);
    rig.run(now += 1);
    // A resampler that begins anew fades in what it lacks; the rest of the time it is exact.
    std::size_t off = 0;
    for (std::size_t i = 0; i < rig.at.size(); i++)
      if (rig.at[i] >= now - 1)
        off += std::fabs(rig.left[i] - 2 * slope * (rig.at[i] - kAge)) > 2 * slope * 0.002;
    g_test_message("%d Hz: %.1f ms off", rate, 1e3 * static_cast<double>(off) / rate);
    g_assert_cmpfloat(static_cast<double>(off) / rate, <, 0.03);
  }
}

void test_levels () {
  Rig rig;
  rig.voices[1].sound = tone(1000, 0.5);
  // One side alone has half of the power.
  rig.voices[2] = {
      .sound = [] (double t,
                   int channel) { return channel ? 0 : 0.5 * std::sin(2 * M_PI * 1000 * t); },
      .channels = 2};
  rig.voices[3].sound = constant(-0.25, 0);
  rig.voices[4].sound = constant(0, 0);
  // Nothing that is done to it in the mix changes what is measured.
  rig.mixer.set_fader(1, {.volume = 0.1, .pan = 1});
  rig.mixer.set_fader(3, {.mute = true});
  rig.mixer.set_measuring(true);
  rig.run(1);
  rig.mixer.take_levels();
  rig.run(2);
  const std::map<std::uint32_t, std::pair<double, double>> expected = {
      {1, {0.5, 0.5 / M_SQRT2}}, {2, {0.5, 0.25}}, {3, {0.25, 0.25}}, {4, {0, 0}}};
  auto levels = rig.mixer.take_levels();
  g_assert_cmpuint(levels.size(), ==, expected.size());
  for (const auto &[uid, value] : expected) {
    const agora::Level &level = levels[uid];
    assert_near(level.peak, value.first, 2e-3);
    g_assert_cmpuint(level.samples, ==, kRate);
    assert_near(std::sqrt(level.square_sum / static_cast<double>(level.samples)), value.second,
                1e-3);
  }
  // Taken is taken.
  for (const auto &[uid, level] : rig.mixer.take_levels())
    g_assert_true(level.samples == 0 && level.peak == 0 && level.square_sum == 0);
}

// A second that is half silence has half of the power.
void test_level_of_silence () {
  Rig rig(1);
  rig.voices[1] = {.sound = constant(0.5, 0), .stall = 1.5, .thaw = 100};
  rig.mixer.set_measuring(true);
  rig.run(1);
  rig.mixer.take_levels();
  rig.run(2);
  const agora::Level level = rig.mixer.take_levels()[1];
  g_assert_cmpuint(level.samples, ==, kRate);
  // The stall is heard `kAge` less a block later.
  assert_near(level.square_sum / static_cast<double>(level.samples), 0.25 * 0.55, 0.25 * 0.03);
}

// A controller and the application change one fader at once; neither undoes the other.
void test_two_hands () {
  Mixer mixer;
  std::thread controller([&] {
    for (int i = 1; i <= 20000; i++)
      mixer.change_fader(1, [i] (agora::Fader &fader) { fader.volume = i; });
  });
  for (int i = 0; i < 20000; i++) {
    mixer.change_fader(1, [i] (agora::Fader &fader) { fader.mute = i % 2 == 0; });
    g_assert_true(mixer.fader(1).mute == (i % 2 == 0));
  }
  controller.join();
  g_assert_true(mixer.fader(1) == (agora::Fader{.volume = 20000, .mute = false}));
}

// Whoever leaves is heard to the end of what has arrived, and then gone; unless that takes longer
// than is allowed, or they come back.
void test_finish () {
  constexpr double slope = 0.01, leaves = 2;
  for (const double allowed : {1., 0.02}) {
    Rig rig;
    rig.voices[1].sound = ramp(slope);
    rig.voices[2] = {.sound = constant(0, 0)};
    rig.run(leaves);
    const std::int64_t left = rig.mixer.finish(1, ns(leaves), ns(leaves + allowed));
    // What arrived at the end of the last block waits for `kDelay`.
    assert_near(static_cast<double>(left) / kSecond, kDelay - kPath + kBlock / 2, kBlock);
    rig.voices[1].sent = -1;
    g_assert_true(rig.mixer.find(1));
    g_assert_true(rig.mixer.take_finished().empty());
    rig.run(leaves + 0.2);
    g_assert_true(!rig.mixer.find(1));
    g_assert_true(rig.mixer.take_finished() == std::vector<std::uint32_t>{1});
    g_assert_true(rig.mixer.take_finished().empty());
    double last = 0;
    for (std::size_t i = 0; i < rig.at.size(); i++)
      if (rig.at[i] > 1 && rig.left[i] > 0.99 * slope * (rig.at[i] - kAge))
        last = rig.at[i];
    const double queued = std::min(allowed, static_cast<double>(left) / kSecond);
    g_test_message("allowed %g s: %.1f ms heard of %.1f", allowed, 1e3 * (last - leaves),
                   1e3 * queued);
    // What ends is faded out.
    assert_near(last - leaves, queued, allowed < kDelay ? 1e-3 : 0.008);
  }
  Mixer mixer;
  g_assert_cmpint(mixer.finish(9, 0, ns(1)), ==, 0);
  auto timeline = mixer.add(1, ns(kDelay));
  g_assert_true(timeline->drained());
  g_assert_cmpint(timeline->time_left_ns(0), ==, 0);
  g_assert_cmpint(mixer.finish(1, 0, ns(1)), ==, 0);
  g_assert_true(!mixer.find(1));
  timeline = mixer.add(1, ns(kDelay));
  const std::vector<float> second(kRate, 0.5f);
  timeline->push(0, 0, second.data(), second.size(), kRate, 1);
  g_assert_true(!timeline->drained());
  g_assert_cmpint(mixer.finish(1, 0, ns(0.1)), ==, ns(1 + kDelay));
  // Back again: it stays, and so does what it said.
  g_assert_true(mixer.add(1, ns(kDelay)) == timeline);
  std::vector<float> block(960);
  for (int i = 0; i < 50; i++)
    mixer.mix(ns(i * kBlock), block.data(), 480);
  g_assert_true(mixer.find(1) == timeline);
  assert_near(block[0], 0.5, 1e-3);
}

// By whoever waits the shortest, so that the end of a block is there in time.
void test_pace () {
  constexpr std::int64_t long_ns = 75'000'000, short_ns = 5'000'000;
  using agora::Pace;
  Mixer mixer;
  g_assert_true(mixer.pace() == Pace::usual);
  mixer.set_delay(long_ns);
  g_assert_true(mixer.pace() == Pace::relaxed);
  mixer.set_adaptive(true);
  g_assert_true(mixer.pace() == Pace::usual);
  mixer.set_delay(short_ns);
  g_assert_true(mixer.pace() == Pace::tight);
  mixer.set_adaptive(false);
  // Whoever comes begins early.
  mixer.set_delay(long_ns, short_ns);
  g_assert_true(mixer.pace() == Pace::tight);
  auto timeline = mixer.add(1, long_ns, short_ns);
  const std::vector<float> second(kRate, 0.5f);
  std::vector<float> block(960);
  timeline->push(0, 0, second.data(), second.size(), kRate, 1);
  mixer.mix(0, block.data(), 480);
  mixer.mix(ns(kBlock), block.data(), 480);
  g_assert_true(mixer.pace() == Pace::tight);
  // There is nothing to play, and so nothing left to grow.
  mixer.mix(ns(2), block.data(), 480);
  mixer.mix(ns(2 + kBlock), block.data(), 480);
  g_assert_true(mixer.pace() == Pace::relaxed);
}

// What was measured before somebody looked away is not told when they look again.
void test_level_is_news () {
  Rig rig(1);
  rig.voices[1].sound = constant(0.5, 0);
  rig.mixer.set_measuring(true);
  rig.run(1);
  rig.mixer.set_measuring(false);
  rig.run(2);
  rig.mixer.set_measuring(true);
  const agora::Level level = rig.mixer.take_levels()[1];
  g_assert_true(level.samples == 0 && level.peak == 0);
}

}  // namespace

int main (int argc, char **argv) {
  // No plugin is needed, and many leak where they are loaded.
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/mixer/sum", test_sum);
  g_test_add_func("/mixer/faders", test_faders);
  g_test_add_func("/mixer/solo", test_solo);
  g_test_add_func("/mixer/no-click", test_no_click);
  g_test_add_func("/mixer/set-in-silence", test_set_in_silence);
  g_test_add_func("/mixer/channels", test_channels);
  g_test_add_func("/mixer/another-rate", test_another_rate);
  g_test_add_func("/mixer/levels", test_levels);
  g_test_add_func("/mixer/level-of-silence", test_level_of_silence);
  g_test_add_func("/mixer/level-is-news", test_level_is_news);
  g_test_add_func("/mixer/finish", test_finish);
  g_test_add_func("/mixer/pace", test_pace);
  g_test_add_func("/mixer/two-hands", test_two_hands);
  return g_test_run();
}
