// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/log-repeats.hpp"
#include "tests/suite.hpp"

#include <glib.h>

namespace log_repeats_test {

using namespace agora::gateway;

namespace {

struct Line {
  std::string text;
};
using Repeats = LogRepeats<Line>;
const Repeats::Kind here{"a.cpp", "1"}, there{"a.cpp", "2"};

// The one line that is due.
std::string only_due (Repeats &repeats, std::int64_t at) {
  const auto due = repeats.due(at);
  g_assert_cmpuint(due.size(), ==, 1);
  return due[0].text;
}

void test_one_a_second () {
  Repeats repeats;
  g_assert_true(repeats.take(here, 1, {"first"}, 0).has_value());
  g_assert_false(repeats.next().has_value());
  for (int i = 0; i < 9; i++)
    g_assert_false(repeats.take(here, 1, {"again"}, 100 + i).has_value());
  // What comes from elsewhere is of another kind.
  g_assert_true(repeats.take(there, 1, {"other"}, 200).has_value());
  g_assert_cmpint(*repeats.next(), ==, 1100);
  g_assert_true(repeats.due(1099).empty());
  g_assert_true(only_due(repeats, 1100) == "again (and 8 more like it)");
  g_assert_false(repeats.next().has_value());
  // The sum was a line as any other.
  g_assert_false(repeats.take(here, 1, {"soon"}, 1200).has_value());
  g_assert_true(only_due(repeats, 2200) == "soon");
  g_assert_true(repeats.take(here, 1, {"later"}, 5000).has_value());
}

void test_burst () {
  Repeats repeats;
  for (int i = 0; i < 20; i++)
    g_assert_true(repeats.take(here, 20, {"warning"}, 0).has_value());
  g_assert_false(repeats.take(here, 20, {"one more"}, 0).has_value());
  // None overtakes what waits.
  g_assert_false(repeats.take(here, 20, {"the last"}, 900).has_value());
  g_assert_true(only_due(repeats, 1000) == "the last (and 1 more like it)");
}

// The end of the program.
void test_all_that_waits () {
  Repeats repeats;
  repeats.take(here, 1, {"1"}, 0);
  repeats.take(here, 1, {"2"}, 0);
  repeats.take(there, 1, {"3"}, 0);
  repeats.take(there, 1, {"4"}, 0);
  g_assert_cmpuint(repeats.due(G_MAXINT64).size(), ==, 2);
}

}  // namespace

static const agora::Suite suite("log-repeats", [] {
  g_test_add_func("/log-repeats/one-a-second", test_one_a_second);
  g_test_add_func("/log-repeats/burst", test_burst);
  g_test_add_func("/log-repeats/all-that-waits", test_all_that_waits);
});

}  // namespace log_repeats_test
