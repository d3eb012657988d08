// SPDX-License-Identifier: LGPL-2.1-or-later
// The programme under a talkback: how far down it goes and how soon, that it comes back, and that
// its way there isn't heard.
#include <gst/gst.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "gst/mix/mixer.hpp"
#include "tests/unit/mix/spectrum.hpp"

using agora::Ducker;
using agora::Mixer;
using agora::test::power_of;

namespace {

constexpr int kRate = 48000;
constexpr double kBlock = 0.01;
constexpr double kTone = 997;  // of the programme
constexpr std::uint32_t kProgramme = 8, kTalkback = 9;
constexpr std::int64_t kDelay = 50'000'000;
constexpr std::int64_t kPath = 15'000'000;
// From a sample's capture to its place in the mix, in seconds.
constexpr double kAge = 0.065;

double decibel (double linear) {
  return 20 * std::log10(std::max(linear, 1e-9));
}

// A programme on the left and a talkback on the right, block by block.
class Desk {
 public:
  explicit Desk(double duck) {
    mixer.configure(kRate, 2);
    mixer.set_duck(duck);
    programme_ = mixer.add(kProgramme, kDelay);
    talkback_ = mixer.add(kTalkback, kDelay);
    mixer.set_talkback(kTalkback, true);
    mixer.set_fader(kProgramme, {1, -1, false, false});
    mixer.set_fader(kTalkback, {1, 1, false, false});
  }

  // Goes on for so long, with a talkback as loud as this.
  void run (double seconds, double talk_db) {
    for (const double end = now_ + seconds; now_ + kBlock / 2 < end; now_ = ++blocks_ * kBlock) {
      const std::size_t frames = static_cast<std::size_t>(kRate * kBlock);
      std::vector<float> programme(frames), talk(frames), out(2 * frames);
      for (std::size_t i = 0; i < frames; i++) {
        const double t = now_ + static_cast<double>(i) / kRate;
        programme[i] = static_cast<float>(0.25 * std::sin(2 * M_PI * kTone * t));
        talk[i] =
            static_cast<float>(std::pow(10, talk_db / 20) * M_SQRT2 * std::sin(2 * M_PI * 300 * t));
      }
      const auto at = static_cast<std::int64_t>(std::llround(now_ * 1e9));
      push(*programme_, at, programme);
      push(*talkback_, at, talk);
      mixer.mix(at, out.data(), frames);
      for (std::size_t i = 0; i < frames; i++) {
        left.push_back(out[2 * i]);
        right.push_back(out[2 * i + 1]);
      }
    }
  }

  // By how many dB the programme is lowered, at its loudest within 10 ms.
  double lowered (double at) const {
    const auto first = static_cast<std::size_t>(std::lround(at * kRate));
    float most = 0;
    for (std::size_t i = first; i < first + 480 && i < left.size(); i++)
      most = std::max(most, std::fabs(left[i]));
    return -decibel(most / 0.25);
  }
  double now () const { return now_; }

  Mixer mixer;
  std::vector<float> left, right;

 private:
  static void push (agora::PlayoutTimeline &to, std::int64_t at, const std::vector<float> &sound) {
    to.push(at, at + kPath, sound.data(), sound.size(), kRate, 1);
  }

  std::shared_ptr<agora::PlayoutTimeline> programme_, talkback_;
  long blocks_ = 0;
  double now_ = 0;
};

// 12 dB within a tenth of a second of the first word, and no further; back 0.6 s after the last
// one.
void test_down_and_up () {
  Desk desk(12);
  desk.run(1, -100);
  const double began = desk.now() + kAge;
  desk.run(2, -20);
  const double ended = desk.now() + kAge;
  desk.run(3, -100);
  g_assert_cmpfloat(std::fabs(desk.lowered(began - 0.05)), <, 0.05);
  g_test_message("down by %.1f dB after 50 ms, %.1f after 110", desk.lowered(began + 0.05),
                 desk.lowered(began + 0.11));
  g_assert_cmpfloat(desk.lowered(began + 0.05), >, 2);
  g_assert_cmpfloat(std::fabs(desk.lowered(began + 0.11) - 12), <, 0.1);
  for (double at = began + 0.2; at < ended + Ducker::kHold - 0.05; at += 0.05)
    g_assert_cmpfloat(std::fabs(desk.lowered(at) - 12), <, 0.1);
  g_assert_cmpfloat(std::fabs(desk.lowered(ended + Ducker::kHold + 0.2) - 6), <, 1);
  g_assert_cmpfloat(std::fabs(desk.lowered(ended + Ducker::kHold + 0.45)), <, 0.05);
  // The talkback itself is as loud as it was.
  float most = 0;
  for (auto i = static_cast<std::size_t>((began + 0.5) * kRate);
       i < static_cast<std::size_t>((began + 1) * kRate); i++)
    most = std::max(most, std::fabs(desk.right[i]));
  g_assert_cmpfloat(std::fabs(decibel(most) - decibel(0.1 * M_SQRT2)), <, 0.1);
}

// A quiet room's noise is no speech, and the pauses between the words are no end.
void test_gate () {
  Desk desk(20);
  desk.run(0.5, -100);
  desk.run(1.5, -55);
  for (double at = 0.2; at < 1.9; at += 0.05)
    g_assert_cmpfloat(std::fabs(desk.lowered(at)), <, 0.05);
  for (int word = 0; word < 4; word++) {
    desk.run(0.3, -25);
    desk.run(0.4, -55);
  }
  for (double at = 2 + kAge + 0.2; at < desk.now(); at += 0.05)
    g_assert_cmpfloat(std::fabs(desk.lowered(at) - 20), <, 0.1);
}

// Nobody who isn't heard lowers anything, nor does one who talks to all; 0 dB is nothing.
void test_only_talkback () {
  Desk muted(12), open(12), off(0);
  muted.mixer.set_fader(kTalkback, {1, 0, true, false});
  open.mixer.set_talkback(kTalkback, false);
  for (Desk *desk : {&muted, &open, &off}) {
    desk->run(1, -20);
    for (double at = 0.2; at < 0.9; at += 0.05)
      g_assert_cmpfloat(std::fabs(desk->lowered(at)), <, 0.05);
  }
  // Set to nothing while it is down, it comes back.
  Desk desk(12);
  desk.run(1, -20);
  g_assert_cmpfloat(std::fabs(desk.lowered(0.8) - 12), <, 0.1);
  desk.mixer.set_duck(0);
  desk.run(1, -20);
  g_assert_cmpfloat(std::fabs(desk.lowered(1.6)), <, 0.05);
  // It is everybody's now: no hole, and no step.
  desk.mixer.set_duck(12);
  desk.run(0.5, -20);
  desk.mixer.set_talkback(kTalkback, false);
  desk.run(1.5, -20);
  g_assert_cmpfloat(std::fabs(desk.lowered(3.8)), <, 0.05);
}

double beside_the_tone (std::vector<float> sound) {
  const auto power = power_of(std::move(sound), kRate, kTone, 60);
  return 10 * std::log10(power.rest / power.tone);
}

// A tone that goes down and up again has next to nothing beside it: what a step, or a gain in
// stairs, makes is heard as clicks and roughness far from the tone. Against a tone that is switched
// at the same moments.
void test_inaudible () {
  for (const double duck : {6.0, 12.0, 24.0}) {
    Desk desk(duck);
    std::vector<float> switched;
    const auto run = [&] (double seconds, double talk_db) {
      const bool down = talk_db > -50;
      desk.run(seconds, talk_db);
      for (std::size_t i = switched.size(); i < desk.left.size(); i++)
        switched.push_back(
            static_cast<float>(std::pow(10, down ? -duck / 20 : 0) *
                               std::sin(2 * M_PI * kTone * static_cast<double>(i) / kRate)));
    };
    run(0.5, -100);
    for (int turn = 0; turn < 3; turn++) {
      run(0.4, -20);
      run(1.8, -100);
    }
    const std::ptrdiff_t edge = kRate / 5;
    const double beside = beside_the_tone({desk.left.begin() + edge, desk.left.end() - edge});
    const double hard = beside_the_tone({switched.begin() + edge, switched.end() - edge});
    g_test_message("%.0f dB: %.1f dB beside the tone, %.1f if it were switched", duck, beside,
                   hard);
    g_assert_cmpfloat(beside, <, -58);
    g_assert_cmpfloat(hard, >, beside + 10);
    // No sample is further from the last one than the tone itself is.
    float step = 0;
    for (auto i = static_cast<std::size_t>(edge); i < desk.left.size(); i++)
      step = std::max(step, std::fabs(desk.left[i] - desk.left[i - 1]));
    g_assert_cmpfloat(step, <, 0.25 * 2 * M_PI * kTone / kRate * 1.001);
  }
}

}  // namespace

int main (int argc, char **argv) {
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/duck/down-and-up", test_down_and_up);
  g_test_add_func("/duck/gate", test_gate);
  g_test_add_func("/duck/only-talkback", test_only_talkback);
  g_test_add_func("/duck/inaudible", test_inaudible);
  return g_test_run();
}
