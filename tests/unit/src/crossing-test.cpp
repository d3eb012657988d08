// SPDX-License-Identifier: LGPL-2.1-or-later
// From one session to another that tells the same sound by its own time, sooner or later than it:
// what comes out is that sound, sample by sample, as if there were one session.
#include "gst/src/crossing.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace {

using namespace agora;

constexpr int kRate = 48000;
constexpr double kSecond = 1e9;

// Noise that swells and fades as talk does; what a codec does to it is other noise.
std::vector<float> make_talk (double seconds, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 0.3f);
  std::vector<float> talk(static_cast<std::size_t>(seconds * kRate));
  float low = 0;
  for (std::size_t i = 0; i < talk.size(); i++) {
    low += 0.2f * (noise(random) - low);
    talk[i] = low * (0.6f + 0.4f * std::sin(static_cast<float>(i) * 2e-4f));
  }
  return talk;
}

struct PlaySession {
  double base_ns;   // its time of the sound's beginning
  int block;        // samples
  double delay_ns;  // from a block's end to its arrival
  double begin_ns;  // when it is first heard
  double end_ns;    // and last
  bool stamps = true;
  int step = 1;  // of so many samples of the sound it has one
  int channels = 1;
  std::int64_t wrong_us = 0;  // of its stamps
};

struct Heard {
  std::vector<std::pair<GstClockTime, std::vector<float>>> blocks;
  int rate = 0, channels = 0;
  std::size_t changed = 0;  // blocks before another rate
};

// Plays both side by side; `heard` gets what comes out.
void run (Crossing &crossing, const std::vector<float> &talk, const PlaySession &former,
          const PlaySession &next, unsigned codec_noise = 1) {
  struct Block {
    double at_ns;
    Crossing::Side side;
    std::size_t from;
  };
  std::vector<Block> blocks;
  const PlaySession *sessions[] = {&former, &next};
  for (const Crossing::Side side : {Crossing::kFormer, Crossing::kNext}) {
    const PlaySession &session = *sessions[side];
    for (std::size_t from = 0; from + session.block * session.step <= talk.size();
         from += session.block * session.step) {
      const double at = (from + session.block * session.step) * kSecond / kRate + session.delay_ns;
      if (at >= session.begin_ns && at < session.end_ns)
        blocks.push_back({at, side, from});
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [] (const Block &a, const Block &b) { return a.at_ns < b.at_ns; });
  std::mt19937 random(7);
  std::normal_distribution<float> noise(0, 0.003f);
  int counts[2] = {};
  crossing.allow_later();
  for (const Block &block : blocks) {
    const PlaySession &session = *sessions[block.side];
    // In whole milliseconds, as FLV has them.
    const double time = session.base_ns + block.from * kSecond / kRate;
    const auto media = static_cast<GstClockTime>(std::floor(time / 1e6) * 1e6);
    if (session.stamps && counts[block.side]++ % 10 == 0)
      crossing.stamped(
          block.side, media,
          1'700'000'000'000'000 + std::llround(block.from * 1e6 / kRate) + session.wrong_us);
    std::vector<float> samples;
    for (int i = 0; i < session.block; i++)
      for (int c = 0; c < session.channels; c++)
        samples.push_back(talk[block.from + i * session.step] + codec_noise * noise(random));
    crossing.sound(block.side,
                   {media, samples.data(), static_cast<std::size_t>(session.block),
                    kRate / session.step, session.channels},
                   std::llround(block.at_ns));
    if (crossing.done())
      return;
  }
}

Crossing::Take into (Heard &heard) {
  return [&heard] (const DecodedSound &sound) {
    if (heard.rate != sound.rate)
      heard.changed = heard.blocks.size();
    heard.rate = sound.rate;
    heard.channels = sound.channels;
    heard.blocks.emplace_back(
        sound.media,
        std::vector<float>(sound.samples, sound.samples + sound.frames * sound.channels));
  };
}

// Without a hole in its time, and nothing but the sound itself from where it begins.
void assert_whole (const Heard &heard, const std::vector<float> &talk, const PlaySession &former) {
  std::vector<float> all;
  double expected = static_cast<double>(heard.blocks.front().first);
  for (const auto &[media, samples] : heard.blocks) {
    g_assert_cmpfloat(std::fabs(static_cast<double>(media) - expected), <, 2e6);
    expected = static_cast<double>(media) + samples.size() * kSecond / kRate;
    all.insert(all.end(), samples.begin(), samples.end());
  }
  const auto first = static_cast<std::size_t>(
      std::llround((std::ceil((static_cast<double>(heard.blocks.front().first) - former.base_ns) *
                              kRate / kSecond / former.block)) *
                   former.block));
  for (std::size_t i = 0; i < all.size(); i++)
    g_assert_cmpfloat(std::fabs(all[i] - talk[first + i]), <, 0.03);
}

const PlaySession kOpus = {3e9, 960, 7e6, 0, 9e9};
const PlaySession kAac = {8.5e9, 1024, 39e6, 0, 9e9};

PlaySession from_on (PlaySession session, double begin_ns) {
  session.begin_ns = begin_ns;
  return session;
}

// `later`: of the two the next one.
void cross (const PlaySession &former, const PlaySession &next, double later_ns) {
  const auto talk = make_talk(4, 1);
  Heard heard;
  Crossing crossing(into(heard));
  run(crossing, talk, former, from_on(next, 1e9));
  g_assert_true(crossing.done());
  assert_whole(heard, talk, former);
  g_assert_cmpfloat(
      std::fabs(static_cast<double>(crossing.shift()) - former.base_ns + next.base_ns), <, 2e6);
  g_assert_cmpfloat(std::fabs(static_cast<double>(crossing.later()) - later_ns), <, 3e6);
  // Not before 60 ms could be compared, and soon after that.
  const double took = heard.blocks.back().first - former.base_ns - 1e9;
  g_assert_cmpfloat(took, <, 0.4e9);
}

// How much later a block begins to come than of the other.
double later_of (const PlaySession &next, const PlaySession &former) {
  return next.delay_ns - former.delay_ns + (next.block - former.block) * kSecond / kRate;
}

void test_to_the_slower () {
  cross(kOpus, kAac, later_of(kAac, kOpus));
}

void test_to_the_faster () {
  cross(kAac, kOpus, later_of(kOpus, kAac));
}

void test_without_stamps () {
  PlaySession former = kOpus, next = kAac;
  next.stamps = false;
  cross(former, next, later_of(next, former));
  cross(next, former, later_of(former, next));
}

// Stamps of a clock that was set, or of somebody who lies.
void test_stamps_that_lie () {
  for (const std::int64_t wrong :
       {std::int64_t{86'400'000'000}, std::int64_t{-600'000}, G_MAXINT64 / 2, G_MININT64 / 2}) {
    PlaySession next = kAac;
    next.wrong_us = wrong;
    cross(kOpus, next, later_of(next, kOpus));
  }
}

// In a pause stamps alone tell; without them there is nothing to tell it by.
void test_silence () {
  const std::vector<float> silence(4 * kRate);
  for (const bool stamps : {true, false}) {
    Heard heard;
    Crossing crossing(into(heard));
    PlaySession next = from_on(kAac, 1e9);
    next.stamps = stamps;
    run(crossing, silence, kOpus, next, 0);
    g_assert_cmpint(crossing.done(), ==, stamps);
    assert_whole(heard, silence, kOpus);
  }
}

// Two people at once: none of it is found in the other. What plays goes on.
void test_another_sound () {
  const auto talk = make_talk(4, 1), other = make_talk(4, 2);
  Heard heard;
  Crossing crossing(into(heard));
  std::size_t given = 0;
  for (std::size_t at = 0; at + 960 <= talk.size(); at += 960) {
    const auto media = static_cast<GstClockTime>(at * kSecond / kRate);
    const auto now = static_cast<std::int64_t>(media) + 27'000'000;
    crossing.sound(Crossing::kFormer, {media, &talk[at], 960, kRate, 1}, now);
    crossing.sound(Crossing::kNext, {media, &other[at], 960, kRate, 1}, now + 1'000'000);
    given += 960;
  }
  g_assert_false(crossing.done());
  assert_whole(heard, talk, {0, 960, 0, 0, 0});
  g_assert_cmpuint(heard.blocks.size() * 960, ==, given);
  g_assert_false(crossing.end());
}

// Of another rate, or with more channels: cut where both are equal.
void test_other_formats () {
  const auto talk = make_talk(4, 1);
  for (const bool stereo : {false, true}) {
    Heard heard;
    Crossing crossing(into(heard));
    PlaySession next = from_on(kAac, 1e9);
    if (stereo)
      next.channels = 2;
    else
      next.step = 2;
    run(crossing, talk, kOpus, next);
    g_assert_true(crossing.done());
    g_assert_cmpint(heard.rate, ==, stereo ? kRate : kRate / 2);
    g_assert_cmpint(heard.channels, ==, stereo ? 2 : 1);
    const auto &[media, samples] = heard.blocks.back();
    // Where the former one ended.
    const auto &[before, last] = heard.blocks[heard.blocks.size() - 2];
    g_assert_cmpfloat(std::fabs(static_cast<double>(media) - static_cast<double>(before) -
                                last.size() * kSecond / kRate),
                      <, 2e6);
    // And it is the sound of that time.
    const auto at = static_cast<std::size_t>(
        std::llround((static_cast<double>(media) - kOpus.base_ns) * kRate / kSecond));
    double least = 1;
    for (std::size_t by = at - 60; by < at + 60; by++) {
      double worst = 0;
      for (std::size_t i = 0; i < samples.size() / heard.channels; i++)
        worst = std::max<double>(
            worst, std::fabs(samples[i * heard.channels] - talk[by + i * (stereo ? 1 : 2)]));
      least = std::min(least, worst);
    }
    g_assert_cmpfloat(least, <, 0.03);
  }
}

// The former session is over before the next one has caught up: what there is of it is heard, and
// the next one goes on from there.
void test_former_ends () {
  const auto talk = make_talk(4, 1);
  Heard heard;
  Crossing crossing(into(heard));
  PlaySession former = kOpus;
  former.end_ns = 1.15e9;
  run(crossing, talk, former, from_on(kAac, 1e9));
  if (!crossing.done())
    g_assert_true(crossing.end());
  assert_whole(heard, talk, former);
}

// The next one brings a little and nothing more, whenever that is: what waits for it is given all
// the same.
void test_next_stops () {
  const auto talk = make_talk(2, 1);
  unsigned stopped = 0;
  for (double end_ns = 1.01e9; end_ns < 1.4e9; end_ns += 7e6) {
    Heard heard;
    Crossing crossing(into(heard));
    PlaySession next = from_on(kAac, 1e9);
    next.end_ns = end_ns;
    run(crossing, talk, kOpus, next);
    crossing.release();
    assert_whole(heard, talk, kOpus);
    if (crossing.done())
      continue;
    stopped++;
    std::size_t given = 0;
    for (const auto &[media, samples] : heard.blocks)
      given += samples.size();
    g_assert_cmpuint(given, ==, talk.size() / 960 * 960);
  }
  g_assert_cmpuint(stopped, >, 5);
}

// What no decoder gives.
void test_hostile () {
  Heard heard;
  Crossing crossing(into(heard));
  const float sample = NAN;
  crossing.stamped(Crossing::kFormer, GST_CLOCK_TIME_NONE, G_MININT64);
  crossing.stamped(Crossing::kNext, 0, G_MAXINT64);
  for (const GstClockTime media : {GstClockTime{0}, GstClockTime{G_MAXINT64}, GstClockTime{5}})
    for (const Crossing::Side side : {Crossing::kFormer, Crossing::kNext}) {
      crossing.sound(side, {media, &sample, 1, kRate, 1}, 0);
      crossing.sound(side, {media, &sample, 0, 0, 0}, 0);
      crossing.sound(side, {media, &sample, 1, 1, 1}, G_MAXINT64 / 4);
    }
  crossing.end();
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/crossing/to-the-slower", test_to_the_slower);
  g_test_add_func("/crossing/to-the-faster", test_to_the_faster);
  g_test_add_func("/crossing/without-stamps", test_without_stamps);
  g_test_add_func("/crossing/stamps-that-lie", test_stamps_that_lie);
  g_test_add_func("/crossing/silence", test_silence);
  g_test_add_func("/crossing/another-sound", test_another_sound);
  g_test_add_func("/crossing/other-formats", test_other_formats);
  g_test_add_func("/crossing/former-ends", test_former_ends);
  g_test_add_func("/crossing/next-stops", test_next_stops);
  g_test_add_func("/crossing/hostile", test_hostile);
  return g_test_run();
}
