// SPDX-License-Identifier: LGPL-2.1-or-later
// Where frames are placed whose timestamps share a value, stand still, jitter, have holes, go back,
// jump ahead, or come by a clock that isn't ours.
#include "gst/sink/frame-count.hpp"

#include <cmath>
#include <functional>
#include <random>

namespace {

using agora::FrameCount;

constexpr double kFrame = 1024.0 / 48;  // ms
constexpr int kFrames = 3000;

GstClockTime stamp (double ms) {
  return static_cast<GstClockTime>(std::llround(std::max(ms, 0.0) * GST_MSECOND));
}

double clock_jitter (int n) {
  std::minstd_rand random(n + 1);
  random.discard(3);
  return std::uniform_real_distribution<>(-20, 20)(random);
}

struct Case {
  const char *name;
  std::function<double(int)> stamped;  // ms, of the nth frame
  std::function<double(int)> right;    // ms
  double off;                          // by how much a frame may be misplaced, in ms
  double gap;                          // at most so much between two frames where no hole is
};

// The first of the group of so many that `n` belongs to.
int in_groups (int n, int of) {
  return n / of * of;
}

const Case cases[] = {
    {"exact", [] (int n) { return n * kFrame; }, [] (int n) { return n * kFrame; }, 0.01, 0.01},
    {"all-0", [] (int) { return 0.0; }, [] (int n) { return n * kFrame; }, 0.01, 0.01},
    {"pairs", [] (int n) { return in_groups(n, 2) * kFrame; }, [] (int n) { return n * kFrame; },
     0.01, 0.01},
    {"tens", [] (int n) { return in_groups(n, 10) * kFrame; }, [] (int n) { return n * kFrame; },
     0.01, 0.01},
    {"whole-ms", [] (int n) { return std::floor(n * kFrame); }, [] (int n) { return n * kFrame; },
     1.01, 1.01},
    {"by-clock", [] (int n) { return 100 + n * kFrame + clock_jitter(n); },
     [] (int n) { return 100 + n * kFrame; }, 40, 40},
    {"fast-clock", [] (int n) { return n * kFrame * 0.999; },
     [] (int n) { return n * kFrame * 0.999; }, 0.1, 0.01},
    {"fast-clock-pairs", [] (int n) { return in_groups(n, 2) * kFrame * 0.999; },
     [] (int n) { return n * kFrame * 0.999; }, 0.2, 0.01},
    {"hole", [] (int n) { return n * kFrame + (n < 50 ? 0 : 400); },
     [] (int n) { return n * kFrame + (n < 50 ? 0 : 400); }, 0.01, 400.01},
    {"hole-in-pairs", [] (int n) { return in_groups(n, 2) * kFrame + (n < 50 ? 0 : 400); },
     [] (int n) { return n * kFrame + (n < 50 ? 0 : 400); }, 0.01, 400.01},
    {"begins-anew", [] (int n) { return (n % 1000) * kFrame; }, [] (int n) { return n * kFrame; },
     1.5, 0.05},
    // The first ones lie below zero, where a demuxer can't put them.
    {"starts-below-zero", [] (int n) { return n * kFrame - 400; },
     [] (int n) { return n * kFrame; }, 1, 0.05},
    {"goes-back", [] (int n) { return n * kFrame + (n < 100 ? 5000 : 3500); },
     [] (int n) { return n * kFrame + 5000; }, 1, 0.05},
    {"goes-back-a-little", [] (int n) { return n * kFrame + (n < 60 ? 500 : 0); },
     [] (int n) { return n * kFrame + 500; }, 1, 0.05},
    {"each-2-s-anew", [] (int n) { return std::fmod(n * kFrame, 2000); },
     [] (int n) { return n * kFrame; }, 25, 0.05},
    {"counts-down", [] (int n) { return 1e6 - n; }, [] (int n) { return 1e6 + n * kFrame; }, 0.01,
     0.01},
    // What follows a jump back is compared with where it came from.
    {"hole-behind-a-jump", [] (int n) { return n * kFrame + (n < 100   ? 5000
                                                             : n < 200 ? 0
                                                                       : 400); },
     [] (int n) { return n * kFrame + (n < 200 ? 5000 : 5400); }, 1, 401},
    {"fast-clock-behind-a-jump", [] (int n) { return n * kFrame * 0.999 + (n < 100 ? 5000 : 0); },
     [] (int n) { return n * kFrame * 0.999 + 5000; }, 5, 0.05},
    // It doesn't begin at the outermost of its timestamps.
    {"by-a-bad-clock", [] (int n) { return 200 + n * kFrame + 5 * clock_jitter(n); },
     [] (int n) { return 250 + n * kFrame; }, 150, 200},
};

bool holds (const Case &row) {
  FrameCount count;
  double worst = 0;
  double gap = 0;
  double overlap = 0;
  double end = 0;
  for (int n = 0; n < kFrames; n++) {
    const double at =
        static_cast<double>(count.place(stamp(row.stamped(n)), stamp(kFrame))) / GST_MSECOND;
    worst = std::max(worst, std::abs(at - row.right(n)));
    gap = n == 0 ? 0 : std::max(gap, at - end);
    overlap = n == 0 ? 0 : std::max(overlap, end - at);
    end = at + kFrame;
  }
  g_print("# %s: misplaced by up to %.2f ms, gaps up to %.2f ms, overlaps up to %.2f ms\n",
          row.name, worst, gap, overlap);
  // More would be heard, or pile up at whoever listens.
  return worst <= row.off && gap <= row.gap && overlap <= kFrame / 400;
}

// 300 s later by their timestamps, which turn out to have jumped: but for 50 ms they follow the
// ones before, and a hole behind is one.
bool is_taken_back () {
  FrameCount count;
  for (int n = 0; n < 100; n++)
    count.place(stamp(n * kFrame), stamp(kFrame));
  count.place(stamp(100 * kFrame + 300'000), stamp(kFrame));
  count.earlier(count.hole() - 50 * GST_MSECOND);
  double worst = std::abs(static_cast<double>(count.hole()) / GST_MSECOND - 50);
  for (int n = 101; n < 300; n++) {
    const double hole = n < 200 ? 0 : 400;
    const double at =
        static_cast<double>(count.place(stamp(n * kFrame + 300'000 + hole), stamp(kFrame))) /
        GST_MSECOND;
    worst = std::max(worst, std::abs(at - (n * kFrame + 50 + hole)));
  }
  g_print("# taken-back: misplaced by up to %.2f ms\n", worst);
  return worst < 0.01;
}

}  // namespace

int main () {
  g_print("1..%zu\n", std::size(cases) + 1);
  int failed = 0;
  int number = 0;
  for (const Case &row : cases) {
    const bool ok = holds(row);
    failed += !ok;
    g_print("%sok %d - %s\n", ok ? "" : "not ", ++number, row.name);
  }
  const bool ok = is_taken_back();
  failed += !ok;
  g_print("%sok %d - taken-back\n", ok ? "" : "not ", ++number);
  return failed;
}
