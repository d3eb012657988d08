// SPDX-License-Identifier: LGPL-2.1-or-later
// The mix that listeners share, where it breaks each time that it is made.
#include "gst/web/audience.hpp"

#include "gst/common/signal-thread.hpp"

using namespace agora;
using namespace agora::web;

namespace {

// In the time of the third pause or the fourth.
constexpr unsigned run_ms = 1500;

void test_breaks_again_and_again () {
  if (g_test_subprocess()) {
    bool over = false;
    {
      Audience audience("no URL", "demo", "room");
      const SourcePtr end = after(nullptr, run_ms, [&over] { over = true; });
      while (!over)
        g_main_context_iteration(nullptr, TRUE);
    }
    g_assert_true(await_pipelines(10'000));
    return;
  }
  g_test_trap_subprocess(nullptr, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed();
  g_test_trap_assert_stderr("*again in 100 ms*again in 200 ms*again in 400 ms*");
  g_test_trap_assert_stderr_unmatched("*again in 100 ms*again in 100 ms*");
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/audience/breaks-again-and-again", test_breaks_again_and_again);
  return g_test_run();
}
