// SPDX-License-Identifier: LGPL-2.1-or-later
// How long things may take in this build.
#pragma once

#include <glib.h>

#include <algorithm>

namespace agora::test {

// What limits are multiplied by in a build that is slower than a plain one.
inline gint64 time_scale () {
  const char *scale = g_getenv("AGORA_TEST_TIME_SCALE");
  return scale ? std::max<gint64>(1, g_ascii_strtoll(scale, nullptr, 10)) : 1;
}

// Microseconds that a change of state may take. Of a program as users get it; one that is
// instrumented, beside others, only has to come to an end.
inline gint64 state_limit () {
  return time_scale() > 1 ? 10 * G_USEC_PER_SEC : 500'000;
}

}  // namespace agora::test
