// SPDX-License-Identifier: LGPL-2.1-or-later
// How long the repair of an RTMP session waits, try after try.
#include "gst/membership/retry-pace.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace retry_pace_test {

using agora::RetryPace;
using std::chrono::milliseconds;

namespace {

void test_doubles () {
  RetryPace pace;
  RetryPace::Time now{std::chrono::hours(1)};
  for (const unsigned expected : {0U, 250U, 500U, 1000U, 2000U, 2000U}) {
    const unsigned wait = pace.next_ms(now);
    g_assert_cmpuint(wait, ==, expected);
    now += milliseconds(wait + 5);
  }
}

// A media server that is away for ten minutes while the gateway answers.
void test_long_outage () {
  RetryPace pace;
  RetryPace::Time now{std::chrono::hours(1)};
  for (int i = 0; i < 5; i++)
    now += milliseconds(pace.next_ms(now));
  for (int i = 0; i < 300; i++) {
    const unsigned wait = pace.next_ms(now);
    g_assert_cmpuint(wait, ==, RetryPace::kLast);
    now += milliseconds(wait);
  }
}

void test_held () {
  RetryPace pace;
  RetryPace::Time now{std::chrono::hours(1)};
  for (int i = 0; i < 40; i++)
    now += milliseconds(pace.next_ms(now));
  now += RetryPace::kHeld + milliseconds(1);
  g_assert_cmpuint(pace.next_ms(now), ==, 0);
  g_assert_cmpuint(pace.next_ms(now), ==, RetryPace::kFirst);
}

}  // namespace

static const agora::Suite suite("retry-pace", [] {
  g_test_add_func("/retry-pace/doubles", test_doubles);
  g_test_add_func("/retry-pace/long-outage", test_long_outage);
  g_test_add_func("/retry-pace/held", test_held);
});

}  // namespace retry_pace_test
