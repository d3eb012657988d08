// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/front/guesses.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace guesses_test {

using namespace agora::gateway;

namespace {

void test_slowed () {
  Guesses guesses;
  std::int64_t now = 1'000'000;
  for (unsigned i = 0; i < Guesses::at_once; i++) {
    g_assert_true(guesses.may_try("here", now));
    guesses.wrong("here", now);
  }
  g_assert_false(guesses.may_try("here", now));
  g_assert_true(guesses.may_try("there", now));
  now += Guesses::interval_ms - 1;
  g_assert_false(guesses.may_try("here", now));
  now += 1;
  g_assert_true(guesses.may_try("here", now));
  guesses.wrong("here", now);
  g_assert_false(guesses.may_try("here", now));
  // All are forgotten in the end.
  now += Guesses::at_once * Guesses::interval_ms;
  for (unsigned i = 0; i < Guesses::at_once; i++) {
    g_assert_true(guesses.may_try("here", now));
    guesses.wrong("here", now);
  }
  g_assert_false(guesses.may_try("here", now));
}

void test_bounded () {
  Guesses guesses;
  for (std::size_t i = 0; i < 3 * Guesses::most_networks; i++)
    guesses.wrong(std::to_string(i), static_cast<std::int64_t>(i));
  g_assert_cmpuint(guesses.size(), <=, Guesses::most_networks);
}

}  // namespace

static const agora::Suite suite("guesses", [] {
  g_test_add_func("/guesses/slowed", test_slowed);
  g_test_add_func("/guesses/bounded", test_bounded);
});

}  // namespace guesses_test
