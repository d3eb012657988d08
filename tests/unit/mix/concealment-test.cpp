// SPDX-License-Identifier: LGPL-2.1-or-later
// What a timeline plays where sound is late, lost or not sent, of a codec that makes it up. The
// sound is a tone, and the codec of the test knows how it goes on: so whatever is patched well is
// heard as one tone, and a dip or a step in it is a fault.
#include <gst/gst.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "gst/mix/playout-timeline.hpp"

using agora::PlayoutTimeline;

namespace {

constexpr int kRate = 48000;
constexpr std::size_t kPacket = 960;
constexpr std::size_t kBlock = 240;
constexpr double kTone = 200;
constexpr double kLevel = 0.5;
constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kDelay = 40 * kMs;
// From the sender to here.
constexpr std::int64_t kWay = 5 * kMs;

float tone (double sample) {
  return static_cast<float>(kLevel * std::sin(2 * std::numbers::pi * kTone * sample / kRate));
}

// Goes on with the tone, or with nothing at all.
class Tone final : public agora::Continuation {
 public:
  Tone(std::size_t at, bool is_deaf) : at_(at), is_deaf_(is_deaf) {}
  std::unique_ptr<agora::Concealment> begin () const override {
    class On final : public agora::Concealment {
     public:
      On(std::size_t at, bool is_deaf) : at_(at), is_deaf_(is_deaf) {}
      void make_up (float *samples, std::size_t frames) override {
        for (std::size_t i = 0; i < frames; i++, at_++)
          samples[i] = is_deaf_ ? 0.F : tone(static_cast<double>(at_));
      }

     private:
      std::size_t at_;
      const bool is_deaf_;
    };
    return std::make_unique<On>(at_, is_deaf_);
  }

 private:
  const std::size_t at_;
  const bool is_deaf_;
};

struct Packet {
  bool is_lost = false;
  bool rests = false;
  bool is_mended = false;      // the packet before it is in this one
  std::int64_t late = 0;       // by the network
  std::int64_t stamp_off = 0;  // by the sender
};

class Rig {
 public:
  Rig() : timeline(kRate, kDelay) {}

  // The next packet of the sender.
  void send (const Packet &packet = {}) {
    const std::size_t at = sent_++ * kPacket;
    const auto time = static_cast<std::int64_t>(at * GST_SECOND / kRate);
    const std::int64_t end = time + static_cast<std::int64_t>(kPacket * GST_SECOND / kRate);
    here_ = std::max(here_, end + kWay + packet.late);
    if (!packet.is_lost)
      way_.push_back({at, time + packet.stamp_off, here_, packet});
  }
  void send (int count, const Packet &packet = {}) {
    for (int i = 0; i < count; i++)
      send(packet);
  }

  // All that was sent.
  void play () {
    const auto until = static_cast<std::int64_t>(sent_ * kPacket * GST_SECOND / kRate);
    while (now_ < until) {
      for (; !way_.empty() && way_.front().here <= now_; way_.erase(way_.begin()))
        push(way_.front());
      const float *samples = nullptr;
      const int channels = timeline.pull(now_, kBlock, &samples);
      for (std::size_t i = 0; i < kBlock; i++)
        out.push_back(channels ? samples[i * channels] : 0.F);
      now_ += static_cast<std::int64_t>(kBlock * GST_SECOND / kRate);
    }
  }

  // The least level of 5 ms of the tone from `from` on, in parts of the whole.
  double least (double from, double to) const {
    double least = 1;
    for (auto at = static_cast<std::size_t>(from * kRate);
         at + kBlock <= std::min(out.size(), static_cast<std::size_t>(to * kRate)); at += kBlock) {
      double squares = 0;
      for (std::size_t i = 0; i < kBlock; i++)
        squares += out[at + i] * out[at + i];
      least = std::min(least, std::sqrt(2 * squares / kBlock) / kLevel);
    }
    return least;
  }
  // The greatest step from one sample to the next, against the tone's own.
  double step (double from, double to) const {
    double most = 0;
    for (auto at = static_cast<std::size_t>(from * kRate) + 1;
         at < std::min(out.size(), static_cast<std::size_t>(to * kRate)); at++)
      most = std::max(most, std::fabs(double{out[at]} - out[at - 1]));
    return most / (kLevel * 2 * std::numbers::pi * kTone / kRate);
  }
  void assert_whole (double from, double to) const {
    g_test_message("least %.3f, step %.2f", least(from, to), step(from, to));
    g_assert_cmpfloat(least(from, to), >, 0.9);
    g_assert_cmpfloat(step(from, to), <, 1.2);
  }
  // How old what plays is where the tone ends: by its phase, within 2.5 ms of `expected` (seconds).
  double age (double at, double expected) const {
    const auto from = static_cast<std::size_t>(at * kRate);
    double best = 0, found = 0;
    for (double off = -0.0024; off < 0.0024; off += 0.00002) {
      double both = 0;
      for (std::size_t i = 0; i < kPacket; i++)
        both += out[from + i] * tone(static_cast<double>(from + i) - (expected + off) * kRate);
      if (both > best) {
        best = both;
        found = expected + off;
      }
    }
    return found;
  }
  double concealed_ms () const { return timeline.stats().concealed_ns / 1e6; }

  PlayoutTimeline timeline;
  std::vector<float> out;
  bool is_deaf = false;  // what the codec makes up is silence

 private:
  struct OnItsWay {
    std::size_t at;
    std::int64_t stamp, here;
    Packet packet;
  };

  void push (const OnItsWay &each) {
    std::vector<float> samples, mended;
    for (std::size_t i = 0; i < kPacket; i++)
      samples.push_back(tone(static_cast<double>(each.at + i)));
    agora::SoundContext context;
    if (each.packet.is_mended) {
      for (std::size_t i = 0; i < 2 * kPacket; i++)
        mended.push_back(tone(static_cast<double>(each.at - kPacket + i)));
      context.mended = mended.data();
      context.before = context.restored = kPacket;
    }
    context.after = std::make_shared<Tone>(each.at + kPacket, is_deaf);
    context.rests = each.packet.rests;
    timeline.push(each.stamp, each.here, samples.data(), samples.size(), kRate, 1, context);
  }

  std::vector<OnItsWay> way_;
  std::size_t sent_ = 0;
  std::int64_t here_ = 0;
  std::int64_t now_ = 0;
};

constexpr double kBegun = 0.2;
// A packet is complete when it is sent.
constexpr double kAge = (kDelay + kWay) / 1e9 + kPacket / double{kRate};

// What is late is made up, taken over from without a seam, and nothing is later than before.
void test_late () {
  Rig rig;
  rig.send(50);
  rig.send({.late = 75 * kMs});
  rig.send(149);
  rig.play();
  rig.assert_whole(kBegun, 4);
  const auto stats = rig.timeline.stats();
  g_test_message("%.1f ms made up, %.1f ms late", rig.concealed_ms(), stats.late_ns / 1e6);
  g_assert_cmpfloat(rig.concealed_ms(), >, 25);
  g_assert_cmpfloat(rig.concealed_ms(), <, 45);
  g_assert_cmpfloat(std::fabs(stats.late_ns / 1e6 - rig.concealed_ms()), <, 1);
  g_assert_cmpuint(stats.underruns, ==, 1);
  g_assert_cmpfloat(std::fabs(rig.age(3.5, kAge) - kAge), <, 0.001);
}

// What is in time for its moment is heard, and nothing else, however near the end of what is there
// came.
void test_in_time () {
  Rig rig;
  rig.is_deaf = true;
  rig.send(50);
  for (int i = 0; i < 20; i++) {
    rig.send({.late = 30 * kMs});
    rig.send(4);
  }
  rig.play();
  rig.assert_whole(kBegun, 3);
  g_assert_cmpfloat(rig.concealed_ms(), ==, 0);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
}

void test_lost () {
  Rig rig;
  for (int i = 0; i < 8; i++) {
    rig.send(20);
    rig.send({.is_lost = true});
  }
  rig.send(20);
  rig.send(3, {.is_lost = true});
  rig.send(50);
  rig.play();
  // The last 60 ms are fainter towards their end.
  rig.assert_whole(kBegun, 3.7);
  g_assert_cmpfloat(rig.least(3.7, 5), >, 0.6);
  g_assert_cmpfloat(rig.step(3.7, 5), <, 1.2);
  g_test_message("%.1f ms made up", rig.concealed_ms());
  g_assert_cmpfloat(std::fabs(rig.concealed_ms() - (8 + 3) * 20), <, 2);
  g_assert_cmpfloat(std::fabs(rig.age(4.6, kAge) - kAge), <, 0.001);
}

// What the next packet has of it is better than what is made up, and isn't counted as that.
void test_restored () {
  Rig rig;
  rig.is_deaf = true;
  for (int i = 0; i < 8; i++) {
    rig.send(20);
    rig.send({.is_lost = true});
    rig.send({.is_mended = true});
  }
  rig.send(20);
  rig.play();
  rig.assert_whole(kBegun, 3.8);
  g_assert_cmpfloat(rig.concealed_ms(), ==, 0);
}

// Timestamps that jump, of sound of which nothing is missing.
void test_nothing_is_missing () {
  Rig rig;
  rig.is_deaf = true;
  for (int i = 0; i < 10; i++) {
    rig.send(10, {.is_mended = true, .stamp_off = i * 20 * kMs});
  }
  rig.play();
  rig.assert_whole(kBegun, 2);
  g_assert_cmpfloat(std::fabs(rig.age(1.8, kAge) - kAge), <, 0.001);
}

// Beyond a tenth of a second it has faded out; what comes then is where it belongs.
void test_long () {
  Rig rig;
  rig.send(50);
  rig.send(25, {.is_lost = true});
  rig.send(75);
  rig.play();
  const double begin = 1 + kAge;
  rig.assert_whole(kBegun, begin + 0.03);
  g_assert_cmpfloat(rig.step(begin, 3), <, 1.2);
  g_assert_cmpfloat(rig.least(begin, begin + 0.05), >, 0.5);
  const auto silent = static_cast<std::size_t>((begin + 0.11) * kRate);
  const auto again = static_cast<std::size_t>((begin + 0.49) * kRate);
  g_assert_true(std::all_of(rig.out.begin() + silent, rig.out.begin() + again,
                            [] (float each) { return each == 0.F; }));
  rig.assert_whole(begin + 0.51, 3);
  g_test_message("%.1f ms concealed", rig.concealed_ms());
  g_assert_cmpfloat(std::fabs(rig.concealed_ms() - 500), <, 12);
  g_assert_cmpfloat(std::fabs(rig.age(2.8, kAge) - kAge), <, 0.001);
}

// A sender that has nothing to say sends a packet each 0.4 s: the noise that it told of goes on
// between them, and nothing is missing.
void test_rests () {
  Rig rig;
  rig.send(50);
  for (int i = 0; i < 10; i++) {
    rig.send({.rests = true});
    rig.send(19, {.is_lost = true});
  }
  rig.send(50);
  rig.play();
  rig.assert_whole(kBegun, 6);
  g_assert_cmpfloat(rig.concealed_ms(), ==, 0);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
  g_assert_cmpfloat(std::fabs(rig.age(5.8, kAge) - kAge), <, 0.001);
}

// One that rests and sends nothing any more is silent.
void test_rests_for_good () {
  Rig rig;
  rig.send(50);
  rig.send({.rests = true});
  rig.send(150, {.is_lost = true});
  rig.play();
  g_assert_cmpfloat(rig.concealed_ms(), ==, 0);
  g_assert_cmpfloat(rig.step(kBegun, 4), <, 1.2);
  g_assert_true(std::all_of(rig.out.begin() + 3 * kRate, rig.out.end(),
                            [] (float each) { return each == 0.F; }));
  g_assert_true(rig.timeline.drained());
}

// What ends isn't gone on with.
void test_end () {
  Rig rig;
  rig.send(50);
  rig.send(2, {.is_lost = true});
  rig.play();
  rig.timeline.end();
  rig.send(18, {.is_lost = true});
  rig.play();
  const double end = 1 + kAge;
  g_assert_cmpfloat(rig.step(kBegun, 1.4), <, 3);
  g_assert_true(std::all_of(rig.out.begin() + static_cast<std::size_t>((end + 0.002) * kRate),
                            rig.out.end(), [] (float each) { return each == 0.F; }));
  g_assert_true(rig.timeline.drained());
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/concealment/late", test_late);
  g_test_add_func("/concealment/in-time", test_in_time);
  g_test_add_func("/concealment/lost", test_lost);
  g_test_add_func("/concealment/restored", test_restored);
  g_test_add_func("/concealment/nothing-is-missing", test_nothing_is_missing);
  g_test_add_func("/concealment/long", test_long);
  g_test_add_func("/concealment/rests", test_rests);
  g_test_add_func("/concealment/rests-for-good", test_rests_for_good);
  g_test_add_func("/concealment/end", test_end);
  return g_test_run();
}
