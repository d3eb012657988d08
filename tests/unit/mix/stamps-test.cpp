// SPDX-License-Identifier: LGPL-2.1-or-later
// What senders really stamp: a table of schemes, each with jitter, drift and holes, on a clock of
// the test's own. The sound is a ramp whose value tells when it was captured, so that every sample
// that comes out says how old it is: all of it must be heard, once, and without a jump. Beside it,
// in the other channel, is noise, as no two frames of a voice are alike.
#include <gst/gst.h>

#include <climits>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gst/mix/playout-timeline.hpp"
#include "tests/unit/mix/spectrum.hpp"

using agora::PlayoutTimeline;

namespace {

constexpr int kRate = 48000;
constexpr std::size_t kFrame = 1024;
constexpr double kLength = double(kFrame) / kRate;
constexpr std::size_t kBlock = 480;
constexpr double kSecond = 1e9;
constexpr std::int64_t kDelay = 90'000'000;
constexpr double kScale = 1000;  // seconds for a value of 1

using Random = std::mt19937;

// One frame on its way.
struct Sent {
  long index = 0;       // frames captured before it
  double captured = 0;  // the sender's clock, at its first sample
  double wall = 0;      // ours, when it has gone out
  double busy = 0;      // by how much the sender was late to send it
};

// A way to stamp; milliseconds.
struct Scheme {
  const char *name;
  std::function<std::int64_t(const Sent &, Random &)> stamp;
  double busy_ms = 0;  // the sender is late by so much, once in a second
  bool tells = true;   // something of the holes
};

std::int64_t exact (const Sent &f) {
  return std::llround(f.captured * 1e3);
}

std::int64_t noise (Random &random, double ms) {
  return std::llround(std::uniform_real_distribution<>(-ms, ms)(random));
}

const std::vector<Scheme> schemes = {
    {"exact", [] (const Sent &f, Random &) { return exact(f); }},
    {"steps-21", [] (const Sent &f, Random &) { return f.index * 21; }},
    {"steps-22", [] (const Sent &f, Random &) { return f.index * 22; }},
    {"pairs",
     [] (const Sent &f, Random &) {
       return std::int64_t(std::llround((f.index - f.index % 2) * kLength * 1e3));
     }},
    {"triples",
     [] (const Sent &f, Random &) {
       return std::int64_t(std::llround((f.index - f.index % 3) * kLength * 1e3));
     }},
    {"tens",
     [] (const Sent &f, Random &) {
       return std::int64_t(std::llround((f.index - f.index % 10) * kLength * 1e3));
     }},
    {"wall-clock-20", [] (const Sent &f, Random &random) { return exact(f) + noise(random, 20); }},
    {"wall-clock-40", [] (const Sent &f, Random &random) { return exact(f) + noise(random, 40); }},
    {"when-sent", [] (const Sent &f, Random &) { return std::int64_t(std::llround(f.wall * 1e3)); },
     40},
    {"wobble", [] (const Sent &f, Random &) { return exact(f) + (f.index % 3 - 1) * 30; }},
    {"zero", [] (const Sent &, Random &) { return std::int64_t(0); }, 0, false},
    {"half-rate", [] (const Sent &f, Random &) { return exact(f) / 2; }, 0, false},
    {"double-rate", [] (const Sent &f, Random &) { return exact(f) * 2; }, 0, false},
    {"jumps",
     [] (const Sent &f, Random &) {
       return exact(f) + (f.index / 250 % 2 ? -1 : 1) * f.index / 250 * 7000;
     }},
    {"garbage",
     [] (const Sent &, Random &random) {
       return std::int64_t(std::uniform_int_distribution<std::int64_t>(-1e9, 1e9)(random));
     },
     0, false},
    {"limits",
     [] (const Sent &f, Random &) {
       return (f.index % 2 ? 1 : -1) * (INT64_MAX / 1'000'000 - 1'000'000'000) + f.index * 21;
     },
     0, false},
};

const Scheme &scheme (const char *name) {
  for (const Scheme &each : schemes)
    if (strcmp(each.name, name) == 0)
      return each;
  g_assert_not_reached();
}

struct Out {
  double at;
  float value;
};

class Rig {
 public:
  explicit Rig(const Scheme &scheme) : timeline(kRate, kDelay), scheme_(scheme) {}

  double ppm = 0;
  double jitter_ms = 0;
  PlayoutTimeline timeline;
  std::vector<Out> out;
  std::vector<double> pushed;  // captured times of frames that arrived
  std::function<float(double)> sound = [] (double t) { return float(t / kScale); };

  // These frames are lost on the way.
  void lose (std::size_t frames) { lost_ += frames; }
  // The sender captures nothing for a while.
  void pause (double seconds) {
    captured_ += seconds * (1 + ppm * 1e-6);
    wall_ += seconds;
  }
  // Another session begins with the frames that this one told last.
  void reconnect (std::size_t overlap) {
    timeline.discontinuity();
    std::vector<Sent> again(told_.end() - std::ptrdiff_t(overlap), told_.end());
    std::vector<std::int64_t> stamps(stamps_.end() - std::ptrdiff_t(overlap), stamps_.end());
    for (std::size_t i = 0; i < overlap; i++)
      push(again[i], stamps[i], last_arrival_);
  }

  void run (double until) {
    while (now_ < until) {
      const double end = now_ + double(kBlock) / kRate;
      for (;;) {
        if (!pending_)
          capture();
        if (arrival_ > end)
          break;
        pending_ = false;
        if (lost_ > 0) {
          lost_--;
          continue;
        }
        told_.push_back(next_);
        stamps_.push_back(scheme_.stamp(next_, random_));
        last_arrival_ = arrival_;
        pushed.push_back(next_.captured);
        push(next_, stamps_.back(), arrival_);
      }
      const float *samples = nullptr;
      const int channels = timeline.pull(std::llround(now_ * kSecond), kBlock, &samples);
      for (std::size_t i = 0; i < kBlock; i++)
        out.push_back({now_ + double(i) / kRate, channels ? samples[i * channels] : 0.f});
      now_ = end;
    }
  }

  double age (const Out &o) const {
    return (o.at - double(o.value) * kScale / (1 + ppm * 1e-6)) * 1e3;
  }

 private:
  void capture () {
    next_ = {.index = index_++, .captured = captured_};
    captured_ += kLength;
    wall_ += kLength / (1 + ppm * 1e-6);
    next_.busy = scheme_.busy_ms > 0 && next_.index % 47 == 40 ? scheme_.busy_ms / 1e3 : 0;
    next_.wall = wall_ + next_.busy;
    const double network =
        jitter_ms > 0 ? std::exponential_distribution<>(1e3 / jitter_ms)(random_) : 0;
    arrival_ = std::max(last_arrival_, next_.wall + 0.005 + network);
    pending_ = true;
  }

  void push (const Sent &sent, std::int64_t stamp_ms, double at) {
    std::vector<float> samples;
    Random noise(static_cast<Random::result_type>(sent.index));
    for (std::size_t i = 0; i < kFrame; i++) {
      samples.push_back(sound(sent.captured + double(i) / kRate));
      samples.push_back(0.2f * (float(noise()) / float(Random::max()) - 0.5f));
    }
    timeline.push(stamp_ms * 1'000'000, std::llround(at * kSecond), samples.data(), kFrame, kRate,
                  2);
  }

  const Scheme &scheme_;
  Random random_{1};
  double now_ = 0, captured_ = 0, wall_ = 0, arrival_ = 0, last_arrival_ = 0;
  long index_ = 0;
  std::size_t lost_ = 0;
  bool pending_ = false;
  Sent next_;
  std::vector<Sent> told_;
  std::vector<std::int64_t> stamps_;
};

// What a stretch of the sound that came out was like.
struct Heard {
  double silent_ms = 0;
  double jump_ms = 0;  // the largest change of age within 5 ms
  double least_ms = 1e9, most_ms = -1e9;
  double slope = 0;  // us/s
  double spread_ms () const { return most_ms - least_ms; }
};

Heard listen (const Rig &rig, double from, double to) {
  Heard heard;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  constexpr std::size_t kApart = kRate / 200;
  for (std::size_t i = kApart; i < rig.out.size(); i++) {
    const Out &o = rig.out[i];
    if (o.at < from || o.at >= to)
      continue;
    if (o.value == 0) {
      heard.silent_ms += 1e3 / kRate;
      continue;
    }
    const double age = rig.age(o);
    if (rig.out[i - kApart].value != 0)
      heard.jump_ms = std::max(heard.jump_ms, std::fabs(age - rig.age(rig.out[i - kApart])));
    heard.least_ms = std::min(heard.least_ms, age);
    heard.most_ms = std::max(heard.most_ms, age);
    n++, sx += o.at, sy += age, sxx += o.at * o.at, sxy += o.at * age;
  }
  heard.slope = (n * sxy - sx * sy) / (n * sxx - sx * sx) * 1e3;
  return heard;
}

// Heard whole, from the first second on, whatever its timestamps are.
void test_whole () {
  for (const Scheme &each : schemes)
    for (const double ppm : {0., -300., 300.})
      for (const double jitter : {0., 3., 10.}) {
        // With what the sender adds that is more than the delay bears.
        if (each.busy_ms > 0 && jitter > 3)
          continue;
        // Of nine a third, each clock and each jitter with one of the other.
        if (!g_test_slow() && ppm != (jitter == 0 ? 0. : jitter == 3 ? -300. : 300.))
          continue;
        Rig rig(each);
        rig.ppm = ppm;
        rig.jitter_ms = jitter;
        rig.run(40);
        const Heard heard = listen(rig, 3, 40);
        const auto stats = rig.timeline.stats();
        g_test_message(
            "%s, %+.0f ppm, jitter %.0f ms: %.2f ms silent, jumps %.3f ms, age %.1f to "
            "%.1f ms, %.1f ms dropped",
            each.name, ppm, jitter, heard.silent_ms, heard.jump_ms, heard.least_ms, heard.most_ms,
            double(stats.dropped_ns) / 1e6);
        g_assert_cmpfloat(heard.silent_ms, ==, 0);
        g_assert_cmpfloat(heard.jump_ms, <, 0.2);
        g_assert_cmpfloat(heard.spread_ms(), <, 25);
        g_assert_cmpfloat(stats.dropped_ns, <, 40e6);
      }
}

// As steady over ten minutes as with exact timestamps.
void test_steady () {
  double sign = 1;
  for (const char *name :
       {"exact", "steps-21", "steps-22", "pairs", "triples", "wall-clock-40", "zero"}) {
    sign = -sign;
    for (const double ppm : {-300., 300.}) {
      // Both ways of one, and by turns of the others.
      if (!g_test_slow() && ppm * sign < 0 && strcmp(name, "pairs") != 0)
        continue;
      Rig rig(scheme(name));
      rig.ppm = ppm;
      rig.jitter_ms = 3;
      rig.run(660);
      const Heard heard = listen(rig, 60, 660);
      g_test_message("%s, %+.0f ppm: slope %+.2f us/s, spread %.2f ms, drift found %+.1f", name,
                     ppm, heard.slope, heard.spread_ms(), rig.timeline.stats().drift_ppm);
      g_assert_cmpfloat(heard.silent_ms, ==, 0);
      g_assert_cmpfloat(std::fabs(heard.slope), <, 5);
      g_assert_cmpfloat(heard.spread_ms(), <, 8);
      g_assert_cmpuint(rig.timeline.stats().dropped_ns, ==, 0);
    }
  }
}

// Frames that are lost leave a hole of their length; what follows is where it was.
void test_lost () {
  for (const char *name : {"exact", "steps-21", "steps-22", "pairs"})
    for (const std::size_t frames : {1, 2, 5, 40})
      for (const double jitter : {0., 2.}) {
        Rig rig(scheme(name));
        rig.jitter_ms = jitter;
        rig.run(10);
        rig.lose(frames);
        rig.run(14);
        const Heard before = listen(rig, 6, 10), after = listen(rig, 11.2, 14);
        const Heard all = listen(rig, 6, 14);
        const double length = double(frames) * kLength * 1e3;
        g_test_message(
            "%s, %zu frames, jitter %.0f ms: %.1f ms silent of %.1f, age %.2f before, "
            "%.2f after",
            name, frames, jitter, all.silent_ms, length, before.most_ms, after.most_ms);
        g_assert_cmpfloat(std::fabs(all.silent_ms - length), <, 2);
        g_assert_cmpfloat(std::fabs(after.most_ms - before.most_ms), <, 2);
        g_assert_cmpuint(rig.timeline.stats().dropped_ns, <, 1'000'000);
      }
}

// A sender that pauses is heard again from its first word on, and without more delay.
void test_paused () {
  for (const Scheme &each : schemes)
    for (const double seconds : {0.3, 3., 100.})
      for (const double jitter : {0., 3.}) {
        if (g_str_has_prefix(each.name, "steps") || strcmp(each.name, "pairs") == 0 ||
            strcmp(each.name, "triples") == 0 || strcmp(each.name, "tens") == 0)
          continue;  // count frames, not time: to them a pause is none
        Rig rig(each);
        rig.jitter_ms = jitter;
        rig.run(10);
        const double age = listen(rig, 6, 10).most_ms;
        rig.pause(seconds);
        rig.run(10 + seconds + 8);
        const Heard all = listen(rig, 9, 10 + seconds + 8);
        const Heard after = listen(rig, 10 + seconds + 4, 10 + seconds + 8);
        const double dropped = double(rig.timeline.stats().dropped_ns) / 1e6;
        g_test_message(
            "%s, %g s, jitter %.0f: %.1f ms silent, %.1f dropped, age %.1f before, %.1f "
            "after",
            each.name, seconds, jitter, all.silent_ms, dropped, age, after.most_ms);
        g_assert_cmpfloat(std::fabs(all.silent_ms - seconds * 1e3), <, 85);
        g_assert_cmpfloat(dropped, <, 60);
        g_assert_cmpfloat(std::fabs(after.most_ms - age), <, 35);
      }
}

// Another session tells again what was there, and no sample is lost or heard twice.
void test_reconnects () {
  for (const char *name : {"exact", "steps-21", "steps-22", "pairs", "triples", "wall-clock-40",
                           "when-sent", "wobble", "zero"})
    for (const std::size_t overlap : {0, 1, 2, 3, 10, 20})
      for (const double jitter : {0., 3.}) {
        Rig rig(scheme(name));
        rig.jitter_ms = jitter;
        rig.run(10);
        rig.reconnect(overlap);
        rig.run(16);
        const Heard heard = listen(rig, 3, 16);
        g_test_message("%s, %zu frames again, jitter %.0f: %.1f ms silent, jumps %.3f ms", name,
                       overlap, jitter, heard.silent_ms, heard.jump_ms);
        g_assert_cmpfloat(heard.silent_ms, ==, 0);
        g_assert_cmpfloat(heard.jump_ms, <, 0.2);
      }
}

// A tone has nothing beside it, whatever its timestamps are.
void test_tone () {
  for (const char *name : {"pairs", "steps-21", "wall-clock-40", "zero"}) {
    Rig rig(scheme(name));
    rig.ppm = 200;
    rig.jitter_ms = 3;
    rig.sound = [] (double t) { return float(0.5 * sin(2 * M_PI * 1000 * t)); };
    rig.run(30);
    double worst = -200;
    for (int second = 5; second < 29; second++) {
      std::vector<float> part;
      for (const Out &o : rig.out)
        if (o.at >= second && o.at < second + 1)
          part.push_back(o.value);
      const auto power = agora::test::power_of(part, kRate, 1000, 100);
      worst = std::max(worst, 10 * log10(power.rest / power.tone));
    }
    g_test_message("%s: worst second %.1f dB outside of the tone", name, worst);
    g_assert_cmpfloat(worst, <, -60);
  }
}

// Whatever a remote member chooses: no overflow, and a figure that can be believed or none.
void test_hostile () {
  const std::vector<float> frame(kFrame, 0.5f);
  const std::int64_t values[] = {INT64_MIN, INT64_MIN + 1,     -1'000'000'000'000, -1,       0,
                                 1,         1'000'000'000'000, INT64_MAX - 1,      INT64_MAX};
  PlayoutTimeline timeline(kRate, kDelay);
  std::int64_t now = 1'000'000'000;
  for (const std::int64_t media : values)
    for (const std::int64_t wall : values) {
      timeline.stamped(media, now, wall, 1'800'000'000'000'000);
      g_assert_cmpfloat(timeline.stats().stamp_age_ms, ==, -1);
      for (const std::int64_t duration : values)
        for (const bool played : {false, true}) {
          const std::int64_t due = timeline.place(media, now, duration, played);
          g_assert_cmpint(due, >=, -4'000'000'000'000'000'000);
          g_assert_cmpint(due, <=, 4'000'000'000'000'000'000);
        }
      timeline.push(media, now, frame.data(), kFrame, kRate, 1);
      if (wall == 0)
        timeline.discontinuity();
      const float *samples = nullptr;
      timeline.pull(now, kBlock, &samples);
      now += 21'333'333;
    }
  for (const int rate : {INT_MIN, -1, 0, 1, INT_MAX})
    timeline.push(0, now, frame.data(), kFrame, rate, 1);
  for (const int channels : {INT_MIN, -1, 0, INT_MAX})
    timeline.push(0, now, frame.data(), kFrame, kRate, channels);
  g_assert_cmpfloat(timeline.stats().queued_ms, <, 11'000);
  PlayoutTimeline other(kRate, kDelay);
  other.push(0, now, frame.data(), kFrame, kRate, 1);
  other.stamped(21'333'333, now + 21'333'333, 1'800'000'000'000'000, 1'800'000'000'050'000);
  g_assert_cmpfloat_with_epsilon(other.stats().stamp_age_ms, 140, 1);
  other.stamped(21'333'333, now + 21'333'333, 1'800'000'000'050'000, 1'800'000'000'000'000 - 1);
  g_assert_cmpfloat_with_epsilon(other.stats().stamp_age_ms, 40, 1);
}

// Frames that are recorded as they are, and not decoded, are counted too.
void test_encoded () {
  for (const char *name : {"exact", "steps-21", "pairs", "wall-clock-40", "zero"}) {
    PlayoutTimeline timeline(kRate, kDelay);
    Random random(1);
    double last = 0, most = 0;
    for (long i = 0; i < 3000; i++) {
      const Sent sent{.index = i, .captured = double(i) * kLength, .wall = double(i) * kLength};
      const std::int64_t due =
          timeline.place(scheme(name).stamp(sent, random) * 1'000'000,
                         std::llround(sent.wall * kSecond), std::llround(kLength * kSecond), false);
      if (i > 100)
        most = std::max(most, std::fabs(double(due) / kSecond - last - kLength));
      last = double(due) / kSecond;
    }
    g_test_message("%s: frames are within %.3f ms of the end of the last", name, most * 1e3);
    g_assert_cmpfloat(most, <, 0.001);
  }
}

// Frames that are recorded and decoded, by a decoder that is some frames behind (the mix has them
// as much later) or begins with a later one, are at their pad where they are in the mix.
void test_both () {
  const std::vector<float> sound(kFrame, 0.5f);
  for (const int behind : {0, 1, 3})
    for (const int swallowed : {0, 1}) {
      PlayoutTimeline timeline(kRate, kDelay);
      std::int64_t due = 0, first = 0;
      for (int i = 0; i < 200; i++) {
        const auto stamp = [] (int frame) {
          return std::llround(frame * kLength * 1e3) * 1'000'000;
        };
        const std::int64_t now = std::llround((1 + i * kLength) * kSecond);
        due = timeline.place(stamp(i), now, std::llround(kLength * kSecond), true);
        if (i == 0)
          first = due;
        if (i - behind >= swallowed)
          timeline.push(stamp(i - behind), now + 1'000'000, sound.data(), kFrame, kRate, 1);
      }
      const double off = double(due - first) / kSecond - 199 * kLength;
      g_test_message("%d behind, %d swallowed: %.2f ms off", behind, swallowed, off * 1e3);
      g_assert_cmpfloat(std::fabs(off), <, 0.004 + behind * kLength);
    }
}

// Sessions that begin with what has waited for them, or with a first frame that is late: soon a
// frame is at its pad at the moment at which the mix plays it, whatever its session began with.
void test_beginnings () {
  struct Beginning {
    const char *name;
    int waited;      // frames that come at once
    double late_ms;  // the first one, of the others
  };
  constexpr Beginning beginnings[] = {
      {"at once", 0, 0}, {"late", 0, 13}, {"waited", 16, 0}, {"waited, late", 7, 9}};
  for (const Beginning &each : beginnings) {
    PlayoutTimeline timeline(kRate, kDelay);
    const double begin = 1;
    double off = 0, mixed = -1;
    int next_block = 0;
    for (int i = 0; i < 300; i++) {
      // Captured at i * kLength, sent when it is whole, and here when the session has begun.
      const double sent = (i + 1) * kLength;
      const double opened = (each.waited + 1) * kLength + each.late_ms / 1e3;
      const std::int64_t now = std::llround((begin + std::max(sent, opened)) * kSecond);
      const std::int64_t stamp = std::llround(i * kLength * 1e3) * 1'000'000;
      const double due =
          double(timeline.place(stamp, now, std::llround(kLength * kSecond), true)) / kSecond;
      if (i >= 100)
        off = std::max(off, std::fabs(due - begin - sent - double(kDelay) / kSecond));
      // A click in one of the last frames.
      std::vector<float> sound(kFrame, 0.f);
      if (i == 250)
        std::fill_n(sound.begin(), 48, 0.5f);
      timeline.push(stamp, now + 200'000, sound.data(), kFrame, kRate, 1);
      for (; next_block * double(kBlock) / kRate < double(now) / kSecond; next_block++) {
        const double at = next_block * double(kBlock) / kRate;
        const float *samples = nullptr;
        if (timeline.pull(std::llround(at * kSecond), kBlock, &samples) == 0)
          continue;
        for (std::size_t k = 0; k < kBlock && mixed < 0; k++)
          if (samples[k] > 0.1f)
            mixed = at + double(k) / kRate;
      }
    }
    const double expected = begin + 251 * kLength + double(kDelay) / kSecond;
    g_test_message("%s: pad %.2f ms off, mix %+.2f ms", each.name, off * 1e3,
                   (mixed - expected) * 1e3);
    g_assert_cmpfloat(off, <, 0.002);
    g_assert_cmpfloat(std::fabs(mixed - expected), <, 0.005);
  }
}

}  // namespace

int main (int argc, char **argv) {
  // No plugin is needed, and many leak where they are loaded.
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/stamps/whole", test_whole);
  g_test_add_func("/stamps/steady", test_steady);
  g_test_add_func("/stamps/lost", test_lost);
  g_test_add_func("/stamps/paused", test_paused);
  g_test_add_func("/stamps/reconnects", test_reconnects);
  g_test_add_func("/stamps/tone", test_tone);
  g_test_add_func("/stamps/hostile", test_hostile);
  g_test_add_func("/stamps/encoded", test_encoded);
  g_test_add_func("/stamps/both", test_both);
  g_test_add_func("/stamps/beginnings", test_beginnings);
  return g_test_run();
}
