// SPDX-License-Identifier: LGPL-2.1-or-later
// Which breaks of the sound are announced, and when they are over.
#include "gst/src/speaker-faults.hpp"

namespace {

using namespace agora;
using Notice = SpeakerFaults::Notice;
using Seen = SpeakerFaults::Seen;

constexpr GstClockTime kNone = GST_CLOCK_TIME_NONE;
constexpr GstClockTime at (unsigned ms) {
  return ms * GST_MSECOND;
}

void expect (const SpeakerFaults::Notices &got, const SpeakerFaults::Notices &wanted) {
  g_assert_cmpuint(got.size(), ==, wanted.size());
  for (std::size_t i = 0; i < got.size(); i++) {
    g_assert_cmpint(got[i].what, ==, wanted[i].what);
    g_assert_cmpuint(got[i].uid, ==, wanted[i].uid);
    g_assert_cmpuint(got[i].duration, ==, wanted[i].duration);
  }
}

void test_short_break () {
  SpeakerFaults faults;
  expect(faults.check(at(1000), {{7, at(900), at(900)}}), {});
  g_assert_true(faults.lost(7));
  expect(faults.check(at(1190), {{7, at(900), at(900)}}), {});
  // Back within 300 ms.
  expect(faults.check(at(1200), {{7, at(1195), kNone}}), {});
  g_assert_false(faults.lost(7));
}

void test_break () {
  SpeakerFaults faults;
  faults.check(at(1000), {{7, at(900), at(900)}});
  expect(faults.check(at(1201), {{7, at(900), at(900)}}), {{Notice::speaker_lost, 7}});
  expect(faults.check(at(1300), {{7, at(900), at(900)}}), {});
  g_assert_true(faults.lost_for(at(1300), at(300)).contains(7));
  g_assert_true(faults.lost_for(at(1300), at(500)).empty());
  expect(faults.check(at(1500), {{7, at(1490), kNone}}), {{Notice::speaker_back, 7, at(600)}});
  // Another session was asked for, but this one plays on: no fault.
  expect(faults.check(at(2000), {{7, at(1990), at(1980)}}), {});
  g_assert_false(faults.lost(7));
}

void test_stall () {
  SpeakerFaults faults;
  // Nothing came yet: that is no fault while the session is made.
  expect(faults.check(at(9000), {{7, kNone, kNone}}), {});
  expect(faults.check(at(10'499), {{7, at(9000), kNone}}), {});
  expect(faults.check(at(10'501), {{7, at(9000), kNone}}), {{Notice::speaker_lost, 7}});
  expect(faults.check(at(11'000), {{7, at(10'900), kNone}}), {{Notice::speaker_back, 7, at(2000)}});
}

void test_gone () {
  SpeakerFaults faults;
  faults.check(at(1000), {{7, at(900), at(900)}, {8, at(950), at(950)}});
  expect(faults.gone(7, at(1100)), {});
  expect(faults.check(at(1300), {{8, at(950), at(950)}}), {{Notice::speaker_lost, 8}});
  // It never came back, and isn't said to have.
  expect(faults.gone(8, at(1950)), {});
  g_assert_false(faults.lost(8));
  expect(faults.gone(9, at(1950)), {});
}

// The membership is back without the one who left meanwhile.
void test_gone_ends_the_return () {
  SpeakerFaults faults;
  faults.membership_lost(at(1000));
  faults.check(at(1100), {{7, at(900), at(900)}});
  expect(faults.membership_back(at(2000)), {});
  expect(faults.gone(7, at(2500)), {{Notice::membership_back, 0, at(1500)}});
}

// Those who are lost with the membership aren't told of one by one; it is back with the last.
void test_membership () {
  SpeakerFaults faults;
  g_assert_true(faults.membership_lost(at(1000)));
  const std::vector<Seen> both = {{7, at(900), at(900)}, {8, at(900), at(900)}};
  expect(faults.check(at(3000), both), {});
  expect(faults.membership_back(at(4000)), {});
  expect(faults.check(at(4100), {{7, at(4050), kNone}, both[1]}), {});
  expect(faults.check(at(4300), {{7, at(4290), kNone}, {8, at(4290), kNone}}),
         {{Notice::membership_back, 0, at(3300)}});
  // Nobody was lost with it.
  g_assert_true(faults.membership_lost(at(5000)));
  expect(faults.membership_back(at(5500)), {{Notice::membership_back, 0, at(500)}});
  expect(faults.membership_back(at(5600)), {});
}

// Who doesn't come back with it is a fault of its own, and losing it again is the same one.
void test_membership_without_all () {
  SpeakerFaults faults;
  g_assert_true(faults.membership_lost(at(1000)));
  const std::vector<Seen> one = {{7, at(900), at(900)}};
  faults.check(at(1100), one);
  faults.membership_back(at(2000));
  g_assert_false(faults.membership_lost(at(3000)));
  expect(faults.check(at(3500), one), {});
  expect(faults.membership_back(at(4000)), {});
  expect(faults.check(at(7000), one), {});
  expect(faults.check(at(7001), one), {{Notice::membership_back, 0, at(6001)}});
  expect(faults.check(at(7002), one), {{Notice::speaker_lost, 7}});
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/speaker-faults/short-break", test_short_break);
  g_test_add_func("/speaker-faults/break", test_break);
  g_test_add_func("/speaker-faults/stall", test_stall);
  g_test_add_func("/speaker-faults/gone", test_gone);
  g_test_add_func("/speaker-faults/gone-ends-the-return", test_gone_ends_the_return);
  g_test_add_func("/speaker-faults/membership", test_membership);
  g_test_add_func("/speaker-faults/membership-without-all", test_membership_without_all);
  return g_test_run();
}
