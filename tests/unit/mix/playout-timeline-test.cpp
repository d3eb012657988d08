// SPDX-License-Identifier: LGPL-2.1-or-later
// The timeline of a speaker on a clock of the test's own: scripted arrivals in, sound out. The
// sound of most cases is a ramp whose value tells when the sender captured it, so that every sample
// that comes out says how old it is.
#include "gst/mix/playout-timeline.hpp"

#include <gst/fft/gstfftf32.h>
#include <gst/gst.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

using agora::PlayoutTimeline;

namespace {

constexpr int kRate = 48000;
constexpr std::size_t kFrame = 1024;  // of AAC
constexpr std::size_t kBlock = 480;
constexpr double kMs = 1e6;
constexpr double kSecond = 1e9;
constexpr std::int64_t kDelay = 90 * 1000000;
constexpr double kRampScale = 1000;  // seconds for a value of 1

// A sender and the network between: what it captured when, and when it arrives.
struct Sender {
  double ppm = 0;
  double captured = 0;  // sender's seconds so far
  double wall = 0;      // real seconds at which that was
  std::int64_t timestamp_offset_ms = 0;
  int channels = 1;
  std::function<float(double)> sound = [] (double t) { return static_cast<float>(t / kRampScale); };
};

struct Out {
  double at;  // seconds of the clock at which the sample is due
  float value;
};

// Runs until `until` seconds. `arrival(wall)` gives when what was sent at `wall` is here, in
// seconds.
class Rig {
 public:
  explicit Rig(std::int64_t delay = kDelay) : timeline(kRate, delay) {}

  void run (double until, const std::function<double(double)> &arrival) {
    while (now_ < until) {
      // Everything that has arrived by the end of the block, then the block.
      const double end = now_ + double(kBlock) / kRate;
      for (;;) {
        const double sent = sender.wall + kFrame / double(kRate) / (1 + sender.ppm * 1e-6);
        if (pending_.empty()) {
          if (sent > end + 120)
            break;
          capture();
        }
        if (std::max(last_arrival_, arrival(pending_.back().sent)) > end)
          break;
        Chunk &c = pending_.back();
        last_arrival_ = std::max(last_arrival_, arrival(c.sent));
        timeline.stamped(c.media_ms * 1000000, std::llround(last_arrival_ * kSecond), c.captured_us,
                         std::llround(last_arrival_ * 1e6));
        timeline.push(c.media_ms * 1000000, std::llround(last_arrival_ * kSecond), c.samples.data(),
                      kFrame, kRate, sender.channels);
        pending_.clear();
      }
      const float *samples = nullptr;
      const int channels = timeline.pull(std::llround(now_ * kSecond), kBlock, &samples);
      for (std::size_t i = 0; i < kBlock; i++)
        out.push_back({now_ + i / double(kRate), channels ? samples[i * channels] : 0.f});
      now_ = end;
    }
  }

  // Age in ms of what plays, at each sample after `from` at which the ramp is undisturbed.
  std::vector<std::pair<double, double>> ages (double from, double to) const {
    std::vector<std::pair<double, double>> all;
    for (const Out &o : out)
      if (o.at >= from && o.at < to && o.value > 0)
        all.push_back({o.at, (o.at - o.value * kRampScale / (1 + sender.ppm * 1e-6)) * 1e3});
    return all;
  }

  double now () const { return now_; }

  PlayoutTimeline timeline;
  Sender sender;
  std::vector<Out> out;

 private:
  struct Chunk {
    double sent;
    std::int64_t media_ms;
    std::int64_t captured_us;
    std::vector<float> samples;
  };

  void capture () {
    Chunk c;
    c.captured_us = std::llround(sender.wall * 1e6);
    c.media_ms = std::llround(sender.captured * 1e3) + sender.timestamp_offset_ms;
    for (std::size_t i = 0; i < kFrame; i++)
      for (int ch = 0; ch < sender.channels; ch++)
        c.samples.push_back(sender.sound(sender.captured + i / double(kRate)));
    sender.captured += kFrame / double(kRate);
    sender.wall += kFrame / double(kRate) / (1 + sender.ppm * 1e-6);
    c.sent = sender.wall;
    pending_.push_back(std::move(c));
  }

  double now_ = 0;
  double last_arrival_ = 0;
  std::vector<Chunk> pending_;
};

std::function<double(double)> jitter (double mean_ms, unsigned seed = 1) {
  auto random = std::make_shared<std::mt19937>(seed);
  // The same moment must always get the same delay.
  auto last = std::make_shared<std::pair<double, double>>(-1, 0);
  return [=] (double sent) {
    if (last->first != sent)
      *last = {sent, sent + 0.005 + std::exponential_distribution<>(1e3 / mean_ms)(*random)};
    return last->second;
  };
}

double slope_us_per_s (const std::vector<std::pair<double, double>> &ages) {
  double n = ages.size(), sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (auto [x, y] : ages) {
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx) * 1e3;
}

double spread (const std::vector<std::pair<double, double>> &ages) {
  double low = 1e9, high = -1e9;
  for (auto [x, y] : ages) {
    low = std::min(low, y);
    high = std::max(high, y);
  }
  return high - low;
}

double mean_age (const std::vector<std::pair<double, double>> &ages) {
  double sum = 0;
  for (auto [x, y] : ages)
    sum += y;
  g_assert_cmpuint(ages.size(), >, 0);
  return sum / ages.size();
}

void test_latency () {
  Rig rig;
  rig.run(5, jitter(0.5));
  // First sample of a frame: one frame of capture, 5 ms of path, the delay.
  const double expected = 1e3 * kFrame / kRate + 5 + kDelay / kMs;
  const double age = mean_age(rig.ages(3, 5));
  g_test_message("%.2f ms, expected %.2f", age, expected);
  g_assert_cmpfloat(std::fabs(age - expected), <, 2);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
  // Halved while it plays, and so it is.
  rig.timeline.set_delay(kDelay / 2);
  rig.run(10, jitter(0.5));
  g_assert_cmpfloat(std::fabs(mean_age(rig.ages(8, 10)) - expected + kDelay / kMs / 2), <, 2);
}

void test_drift (gconstpointer data) {
  const double ppm = *static_cast<const double *>(data);
  Rig rig;
  rig.sender.ppm = ppm;
  rig.run(240, jitter(3));
  const auto ages = rig.ages(60, 240);
  g_test_message("%+.0f ppm: found %+.1f, slope %+.2f us/s, spread %.2f ms", ppm,
                 rig.timeline.stats().drift_ppm, slope_us_per_s(ages), spread(ages));
  g_assert_cmpfloat(std::fabs(slope_us_per_s(ages)), <, 5);
  g_assert_cmpfloat(spread(ages), <, 20);
  g_assert_cmpfloat(std::fabs(rig.timeline.stats().drift_ppm - ppm), <, 15);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, ==, 0);
}

// Nothing arrives for a while, then everything at once.
void test_stall (gconstpointer data) {
  const double length = *static_cast<const double *>(data);
  Rig rig;
  auto normal = jitter(1);
  rig.run(10, normal);
  const double before = mean_age(rig.ages(8, 10));
  auto frozen = [&] (double sent) {
    return sent > 10 && sent < 10 + length ? 10 + length + 0.01 : normal(sent);
  };
  rig.run(10 + length + 6, frozen);
  const auto after = rig.ages(10 + length + 2, 10 + length + 6);
  g_test_message("%.0f s: %.2f ms before, %.2f after, spread %.2f", length, before, mean_age(after),
                 spread(after));
  g_assert_cmpfloat(std::fabs(mean_age(after) - before), <, 15);
  g_assert_cmpfloat(spread(after), <, 15);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, >, (length - 0.5) * kSecond);
  // Two seconds of what came after the thaw are whole.
  g_assert_cmpuint(after.size(), >, 3.9 * kRate);
}

// The sender itself stood still: its sound goes on where it was, later by the pause.
void test_sender_froze () {
  Rig rig;
  rig.run(10, jitter(1));
  const double before = mean_age(rig.ages(8, 10));
  rig.sender.wall += 5;
  rig.run(25, jitter(1));
  const double after = mean_age(rig.ages(17, 25)) - 5000;
  g_test_message("%.2f ms before, %.2f after", before, after);
  g_assert_cmpfloat(std::fabs(after - before), <, 15);
}

// Timestamps that wrap, or begin anew, are no reason for a gap or another latency.
void test_counter (gconstpointer data) {
  const auto begin_ms = *static_cast<const std::int64_t *>(data);
  Rig rig;
  rig.sender.timestamp_offset_ms = begin_ms;
  rig.run(10, jitter(1));
  const double before = mean_age(rig.ages(8, 10));
  rig.sender.timestamp_offset_ms = -10000;
  rig.run(20, jitter(1));
  const auto after = rig.ages(10.3, 20);
  g_assert_cmpfloat(std::fabs(mean_age(after) - before), <, 5);
  g_assert_cmpfloat(spread(after), <, 10);
  g_assert_cmpuint(after.size(), >, 9.5 * kRate);
}

// A hole in the sender's own sound is as long as it was, and what follows is in its place.
void test_hole () {
  Rig rig;
  rig.run(5, jitter(1));
  const double before = mean_age(rig.ages(3, 5));
  rig.sender.captured += 0.5;
  rig.sender.wall += 0.5;
  rig.run(10, jitter(1));
  const auto after = rig.ages(6, 10);
  g_assert_cmpfloat(std::fabs(mean_age(after) - before), <, 3);
  std::size_t silent = 0;
  for (const Out &o : rig.out)
    silent += o.at > 4.5 && o.at < 6 && o.value == 0;
  g_assert_cmpfloat(std::fabs(silent / double(kRate) - 0.5), <, 0.05);
}

// Falls to what the jitter needs, rises again with it, and never above the ceiling.
void test_adaptive () {
  Rig rig;
  rig.timeline.set_adaptive(true);
  rig.run(40, jitter(1));
  const double calm = mean_age(rig.ages(38, 40));
  const double floor = 1e3 * kFrame / kRate + 5;
  g_test_message("calm: %.1f ms, delay %.1f", calm, rig.timeline.stats().delay_ms);
  g_assert_cmpfloat(calm, <, floor + 40);
  const auto underruns = rig.timeline.stats().underruns;
  rig.run(80, jitter(12));
  const double rough = mean_age(rig.ages(70, 80));
  g_test_message("rough: %.1f ms, delay %.1f, %d underruns", rough, rig.timeline.stats().delay_ms,
                 int(rig.timeline.stats().underruns - underruns));
  g_assert_cmpfloat(rough, >, calm + 10);
  g_assert_cmpfloat(rough, <, floor + kDelay / kMs + 2);
}

// What stamps say is true as well while playing is on its way to its place.
void test_stamps () {
  Rig rig;
  auto normal = jitter(0.2);
  rig.run(1, [&] (double sent) { return normal(sent) + (sent < 0.5 ? 0.004 : 0); });
  const double path = 1e3 * kFrame / kRate + 5 + kDelay / kMs;
  const double age = mean_age(rig.ages(0.9, 1));
  g_test_message("%.2f ms old, stamps say %.2f; in its place %.2f", age,
                 rig.timeline.stats().stamp_age_ms, path);
  g_assert_cmpfloat(std::fabs(age - path), >, 1);
  g_assert_cmpfloat(std::fabs(rig.timeline.stats().stamp_age_ms - age), <, 0.5);
}

// 300 ms of sound, 200 ms of near silence, and so on.
float words (double t) {
  const bool word = std::fmod(t, 0.5) < 0.3;
  return static_cast<float>((word ? 0.5 : 0.001) * sin(2 * M_PI * 300 * t));
}

double loud_seconds (const std::vector<Out> &out, double from, double to) {
  // A word's sine is below this for a part of each period only.
  double last = -1, sum = 0;
  for (const Out &o : out) {
    if (o.at < from || o.at >= to || std::fabs(o.value) < 0.25)
      continue;
    if (last >= 0 && o.at - last < 0.003)
      sum += o.at - last;
    last = o.at;
  }
  return sum;
}

// Another delay costs no word where there are pauses, and is there within two seconds.
void test_moves_in_pauses (gconstpointer data) {
  const auto to = *static_cast<const std::int64_t *>(data);
  constexpr int moments = 6;
  for (int i = 0; i < moments; i++) {
    const double at = 5 + 0.09 * i;
    Rig rig;
    rig.sender.sound = words;
    rig.timeline.set_delay(300'000'000);
    rig.run(at, jitter(1));
    rig.timeline.set_delay(to);
    rig.run(20, jitter(1));
    const double before = (kFrame / double(kRate)) + 0.005 + 0.3;
    const double after = before - 0.3 + static_cast<double>(to) / kSecond;
    // From pause to pause of the sender: as much was said as was heard.
    const double heard = loud_seconds(rig.out, 4.4 + before, 12.4 + after);
    const double said = 16 * 0.3;
    g_test_message("at %.2f s: %.3f s heard of %.3f", at, heard, said);
    g_assert_cmpfloat(std::fabs(heard - said), <, 16 * 0.003);
    // Words begin where they should, two seconds later.
    g_assert_cmpfloat(loud_seconds(rig.out, at + 2, at + 2.5), >, 0.28);
    const double start = std::ceil((at + 2.5 - after) * 2) / 2 + after;
    g_assert_cmpfloat(loud_seconds(rig.out, start - 0.15, start - 0.015), <, 0.001);
    g_assert_cmpfloat(loud_seconds(rig.out, start + 0.015, start + 0.15), >, 0.13);
    g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
  }
}

// Where there is no pause it does not wait for one.
void test_moves_anyway () {
  Rig rig;
  rig.timeline.set_delay(300'000'000);
  rig.run(5, jitter(1));
  const double before = mean_age(rig.ages(4, 5));
  rig.timeline.set_delay(100'000'000);
  rig.run(8, jitter(1));
  g_assert_cmpfloat(std::fabs(mean_age(rig.ages(5, 5.4)) - before), <, 10);
  g_assert_cmpfloat(std::fabs(mean_age(rig.ages(7, 8)) - before + 200), <, 5);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, >, 150'000'000);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, <, 210'000'000);
}

double splatter_db (const std::vector<Out> &out, double from, double hertz) {
  constexpr int n = 65536;
  std::vector<float> in;
  for (const Out &o : out)
    if (o.at >= from && in.size() < n)
      in.push_back(o.value);
  g_assert_cmpuint(in.size(), ==, n);
  GstFFTF32 *fft = gst_fft_f32_new(n, FALSE);
  // Its side lobes are far below what is looked for.
  for (int i = 0; i < n; i++) {
    const double x = 2 * M_PI * i / n;
    in[i] *= 0.35875 - 0.48829 * cos(x) + 0.14128 * cos(2 * x) - 0.01168 * cos(3 * x);
  }
  std::vector<GstFFTF32Complex> spectrum(n / 2 + 1);
  gst_fft_f32_fft(fft, in.data(), spectrum.data());
  gst_fft_f32_free(fft);
  double tone = 0, rest = 0;
  for (int i = 0; i <= n / 2; i++) {
    const double p = spectrum[i].r * spectrum[i].r + spectrum[i].i * spectrum[i].i;
    (std::fabs(i * double(kRate) / n - hertz) <= 100 ? tone : rest) += p;
  }
  return 10 * log10(rest / tone);
}

// It begins early, and has the whole delay some seconds later, though no moment of that is heard.
// The speaker's sound comes by another codec, 33 ms later, and in the end by the first one again:
// nothing is missing, no sample is out of its place, and time is stretched by no more than is
// heard.
void test_another_codec () {
  Rig rig;
  const auto path = [] (double ms) { return [ms] (double sent) { return sent + ms * 1e-3; }; };
  const auto age = [&] (double from, double to) { return mean_age(rig.ages(from, to)); };
  const auto assert_even = [&] (double from, double to) {
    const auto ages = rig.ages(from, to);
    // All of it was heard.
    g_assert_cmpfloat_with_epsilon(static_cast<double>(ages.size()), (to - from) * kRate, 1.5);
    for (std::size_t i = 480; i < ages.size(); i += 480)
      g_assert_cmpfloat(std::fabs(ages[i].second - ages[i - 480].second), <, 0.12);
  };
  rig.run(10, path(5));
  const double before = age(9, 10);
  rig.timeline.path_changed(33 * 1000000);
  rig.run(20, path(38));
  g_assert_cmpfloat(std::fabs(age(10, 10.1) - before), <, 1);
  g_assert_cmpfloat(std::fabs(age(19, 20) - before - 33), <, 2);
  assert_even(9, 20);
  g_assert_false(rig.timeline.growing_ns().has_value());
  rig.timeline.path_changed(-33 * 1000000);
  rig.run(30, path(5));
  g_assert_cmpfloat(std::fabs(age(20, 20.1) - before - 33), <, 1);
  g_assert_cmpfloat(std::fabs(age(29, 30) - before), <, 2);
  assert_even(19, 30);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, ==, 0);
  // What nobody believes.
  for (const std::int64_t wrong : {G_MAXINT64, G_MININT64})
    rig.timeline.path_changed(wrong);
  g_assert_cmpfloat(rig.timeline.stats().delay_ms, >=, 0);
}

void test_fast_start () {
  constexpr double kFirst = 15, kMoment = 0.1;
  constexpr double kPath = 1e3 * kFrame / kRate + 5;
  Rig rig;
  rig.timeline.set_delay(kDelay, static_cast<std::int64_t>(kFirst * kMs));
  rig.run(20, jitter(0.3));
  const auto ages = rig.ages(0, 20);
  g_assert_cmpfloat(ages.front().first, <, (kPath + kFirst + 12) / 1e3);
  g_assert_cmpfloat(std::fabs(mean_age(rig.ages(0.1, 0.2)) - kPath - kFirst), <, 3);
  g_assert_cmpfloat(std::fabs(mean_age(rig.ages(18, 20)) - kPath - kDelay / kMs), <, 2);
  double most = 0;
  for (double at = 0.1; at < 19.5; at += kMoment)
    most = std::max(most, std::fabs(mean_age(rig.ages(at, at + kMoment)) -
                                    mean_age(rig.ages(at + kMoment, at + 2 * kMoment))));
  g_test_message("by %.2f ms in %.0f ms at most", most, 1e3 * kMoment);
  // A hundredth.
  g_assert_cmpfloat(most, <, 1e3 * kMoment * 0.0105);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 0);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, ==, 0);
  g_assert_false(rig.timeline.growing_ns().has_value());
}

// A tone meanwhile is one tone, without a click.
void test_fast_start_of_a_tone () {
  Rig rig;
  rig.sender.sound = [] (double t) { return float(0.5 * sin(2 * M_PI * 1000 * t)); };
  rig.timeline.set_delay(kDelay, 15'000'000);
  rig.run(15, jitter(0.3));
  double worst = -200;
  for (double from = 0.2; from < 13; from += 0.5)
    worst = std::max(worst, splatter_db(rig.out, from, 1000));
  g_test_message("worst second: %.1f dB outside of the tone", worst);
  g_assert_cmpfloat(worst, <, -60);
}

// First frames that are late, and less so one after the other, cost no jump, and one that is late
// later has what is missing at once.
void test_fast_start_on_a_rough_path () {
  Rig rig;
  rig.timeline.set_delay(kDelay, 15'000'000);
  auto normal = jitter(0.3);
  rig.run(1, [&] (double sent) { return std::max(normal(sent), 0.035 + 0.75 * sent); });
  g_test_message("%.1f ms", rig.timeline.stats().delay_ms);
  g_assert_cmpfloat(rig.timeline.stats().delay_ms, >, 28);
  g_assert_cmpuint(rig.timeline.stats().concealed_ns, ==, 0);
  g_assert_cmpuint(rig.timeline.stats().dropped_ns, ==, 0);
  rig.run(4, [&] (double sent) { return sent > 2 && sent < 2.1 ? 2.15 : normal(sent); });
  g_assert_cmpfloat(rig.timeline.stats().delay_ms, ==, kDelay / kMs);
  g_assert_cmpuint(rig.timeline.stats().underruns, ==, 1);
}

// A new session that begins with what the old one told already goes on from there.
void test_overlap () {
  PlayoutTimeline timeline(kRate, kDelay);
  std::vector<float> frame(kFrame, 0.5f);
  for (int i = 0; i < 200; i++) {
    const std::int64_t t = i * 21333333LL;
    if (i == 100) {
      timeline.discontinuity();
      for (int again = 90; again < 100; again++)
        timeline.push(again * 21333333LL, t, frame.data(), kFrame, kRate, 1);
    }
    timeline.push(t, t, frame.data(), kFrame, kRate, 1);
  }
  g_assert_cmpfloat(std::fabs(timeline.stats().queued_ms - 200 * 21.3333), <, 1);
}

// A frame that another connection tells again, alone, is not heard twice.
void test_one_again () {
  PlayoutTimeline timeline(kRate, kDelay);
  std::vector<float> frame(kFrame, 0.5f);
  for (int i = 0; i < 100; i++) {
    const std::int64_t t = i * 21333333LL;
    timeline.push(t, t, frame.data(), kFrame, kRate, 1);
    if (i == 50) {
      timeline.discontinuity();
      timeline.push(t, t, frame.data(), kFrame, kRate, 1);
    }
  }
  g_assert_cmpfloat(std::fabs(timeline.stats().queued_ms - 100 * 21.3333), <, 1);
}

// A pipeline resumes with a clock that counts from elsewhere, as a sound card's does.
void test_another_clock () {
  for (const double to : {-1e5, -3.0, 1e5}) {
    PlayoutTimeline timeline(kRate, kDelay);
    std::vector<float> frame(kFrame, 0.5f);
    double heard = 0;
    std::int64_t at = static_cast<std::int64_t>(2e5 * kSecond);
    std::int64_t media = 0;
    std::int64_t pushed = at;
    for (int block = 0; block < 600; block++) {
      if (block == 300) {
        at += static_cast<std::int64_t>(to * kSecond);
        pushed += static_cast<std::int64_t>(to * kSecond);
      }
      for (; pushed <= at; pushed += 21333333, media += 21333333)
        timeline.push(media, pushed, frame.data(), kFrame, kRate, 1);
      const float *out = nullptr;
      const int channels = timeline.pull(at, kBlock, &out);
      if (block >= 450 && channels == 1)
        for (std::size_t i = 0; i < kBlock; i++)
          heard += out[i] > 0.4f;
      at += 10'000'000;
    }
    g_test_message("by %g s: %.0f of %d samples", to, heard, 150 * 480);
    g_assert_cmpfloat(heard, >, 149 * 480);
    g_assert_cmpfloat(timeline.stats().queued_ms, <, 200);
  }
}

// Whoever knows that says so: then nothing is missing but what the delay holds back, whichever of
// the clocks is ahead.
void test_told_of_another_clock () {
  for (const double to : {-1e5, -0.5, 0.5, 3.0, 1e5}) {
    PlayoutTimeline timeline(kRate, kDelay);
    std::vector<float> frame(kFrame, 0.5f);
    std::int64_t at = static_cast<std::int64_t>(2e5 * kSecond);
    std::int64_t media = 0;
    std::int64_t pushed = at;
    int silent = 0;
    for (int block = 0; block < 600; block++) {
      if (block == 300) {
        timeline.another_clock();
        at += static_cast<std::int64_t>(to * kSecond);
        pushed += static_cast<std::int64_t>(to * kSecond);
      }
      for (; pushed <= at; pushed += 21333333, media += 21333333)
        timeline.push(media, pushed, frame.data(), kFrame, kRate, 1);
      const float *out = nullptr;
      if (timeline.pull(at, kBlock, &out) == 0 || out[kBlock - 1] < 0.4f)
        silent += block >= 300;
      at += 10'000'000;
    }
    g_test_message("by %g s: %d ms are missing", to, silent * 10);
    // A frame may be just gone, and sound fades in.
    g_assert_cmpint(silent * 10'000'000, <=, kDelay + 40'000'000);
  }
}

// No click in a sine while the drift is taken out, also when it turns around.
void test_sine () {
  Rig rig;
  rig.sender.sound = [] (double t) { return float(0.5 * sin(2 * M_PI * 1000 * t)); };
  rig.sender.ppm = -300;
  rig.run(60, jitter(3));
  rig.sender.ppm = 300;
  rig.run(120, jitter(3));
  double worst = -200;
  for (int from = 20; from < 118; from++) {
    const double db = splatter_db(rig.out, from, 1000);
    worst = std::max(worst, db);
    g_assert_cmpfloat(db, <, -60);
  }
  g_test_message("worst second: %.1f dB outside of the tone", worst);
}

}  // namespace

int main (int argc, char **argv) {
  static const double fast = 300, slow = -300, s1 = 1, s5 = 5, s60 = 60;
  // Of the sender's counter; ten seconds later it is at 0.
  static const std::int64_t wrap = (1LL << 31) - 10000, restart = 50'000'000, young = 0;
  static const std::int64_t shorter = 120'000'000, longer = 420'000'000;
  // No plugin is needed, and many leak where they are loaded.
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/timeline/latency", test_latency);
  g_test_add_data_func("/timeline/drift/fast", &fast, test_drift);
  g_test_add_data_func("/timeline/drift/slow", &slow, test_drift);
  g_test_add_data_func("/timeline/stall/1s", &s1, test_stall);
  g_test_add_data_func("/timeline/stall/5s", &s5, test_stall);
  g_test_add_data_func("/timeline/stall/60s", &s60, test_stall);
  g_test_add_func("/timeline/sender-froze", test_sender_froze);
  g_test_add_data_func("/timeline/counter/wraps", &wrap, test_counter);
  g_test_add_data_func("/timeline/counter/restarts", &restart, test_counter);
  g_test_add_data_func("/timeline/counter/restarts-young", &young, test_counter);
  g_test_add_func("/timeline/hole", test_hole);
  g_test_add_func("/timeline/adaptive", test_adaptive);
  g_test_add_func("/timeline/stamps", test_stamps);
  g_test_add_data_func("/timeline/moves-in-pauses/earlier", &shorter, test_moves_in_pauses);
  g_test_add_data_func("/timeline/moves-in-pauses/later", &longer, test_moves_in_pauses);
  g_test_add_func("/timeline/moves-anyway", test_moves_anyway);
  g_test_add_func("/timeline/another-codec", test_another_codec);
  g_test_add_func("/timeline/fast-start", test_fast_start);
  g_test_add_func("/timeline/fast-start/tone", test_fast_start_of_a_tone);
  g_test_add_func("/timeline/fast-start/rough-path", test_fast_start_on_a_rough_path);
  g_test_add_func("/timeline/overlap", test_overlap);
  g_test_add_func("/timeline/one-again", test_one_again);
  g_test_add_func("/timeline/another-clock", test_another_clock);
  g_test_add_func("/timeline/another-clock/told", test_told_of_another_clock);
  g_test_add_func("/timeline/sine", test_sine);
  return g_test_run();
}
