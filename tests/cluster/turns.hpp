// SPDX-License-Identifier: LGPL-2.1-or-later
// For tests on a main loop.
#pragma once

#include <glib.h>

#include "signaling/support/timer.hpp"

// Turns the loop until it is so; a failure where it doesn't come true.
template <typename Condition>
void until (Condition condition, const char *what, unsigned ms = 10'000) {
  bool over = false;
  agora::Timer timer([&] { over = true; });
  timer.in(ms);
  while (!condition()) {
    if (over)
      g_error("%s did not come true within %u ms", what, ms);
    g_main_context_iteration(nullptr, TRUE);
  }
}
