// SPDX-License-Identifier: LGPL-2.1-or-later
// When there is something to say of a speaker whose data brings no sound.
#include "gst/src/mute-watch.hpp"

namespace {

using agora::MuteWatch;

constexpr GstClockTime at (unsigned ms) {
  return ms * GST_MSECOND;
}

// Data in each look: when it is told, if it is.
unsigned told_at (MuteWatch &watch, unsigned from, unsigned until, std::uint64_t heard) {
  for (unsigned ms = from; ms < until; ms += 500)
    if (watch.look(at(ms), ms, heard)) {
      watch.tell();
      return ms;
    }
  return 0;
}

void test_never_heard () {
  MuteWatch watch;
  g_assert_cmpuint(told_at(watch, 1000, 20'000, 0), ==, 6500);
  // Once.
  g_assert_cmpuint(told_at(watch, 20'000, 90'000, 0), ==, 0);
}

void test_turned () {
  MuteWatch watch;
  for (unsigned ms = 0; ms < 9000; ms += 500)
    g_assert_false(watch.look(at(ms), ms, ms));
  // The first look in which data came without sound begins it.
  g_assert_cmpuint(told_at(watch, 9000, 60'000, 8500), ==, 14'500);
  g_assert_false(watch.look(at(60'000), 60'000, 60'000));
  g_assert_cmpuint(told_at(watch, 60'500, 90'000, 60'000), ==, 66'000);
}

// Who sends nothing isn't told of, nor what comes at once after a pause.
void test_pause () {
  MuteWatch watch;
  for (unsigned ms = 0; ms < 60'000; ms += 500)
    g_assert_false(watch.look(at(ms), 7, 0));
  g_assert_false(watch.look(at(60'000), 8, 0));
  for (unsigned ms = 60'500; ms < 85'000; ms += 500)
    g_assert_false(watch.look(at(ms), 8, 0));
  // Nor is a session of which nothing comes.
  for (unsigned ms = 85'000; ms < 90'000; ms += 500)
    g_assert_false(watch.look(at(ms), 0, 0));
  // Sparse data is data.
  for (unsigned ms = 90'000; ms <= 95'000; ms += 2500)
    g_assert_false(watch.look(at(ms), ms, 0));
  g_assert_true(watch.look(at(97'500), 97'500, 0));
  // Nothing was said: it is still to be said.
  g_assert_true(watch.look(at(98'000), 98'000, 0));
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/mute-watch/never-heard", test_never_heard);
  g_test_add_func("/mute-watch/turned", test_turned);
  g_test_add_func("/mute-watch/pause", test_pause);
  return g_test_run();
}
