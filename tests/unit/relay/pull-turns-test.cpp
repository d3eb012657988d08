// SPDX-License-Identifier: LGPL-2.1-or-later
// Whose turn it is to open a pull.
#include "signaling/relay/pull-turns.hpp"
#include "tests/suite.hpp"

#include <glib.h>

#include <array>

namespace pull_turns_test {

using agora::relay::PullTurns;

namespace {

using Places = std::array<PullTurns::Place, 5>;

void test_in_order () {
  PullTurns turns;
  turns.set_limit(2);
  Places a;
  g_assert_true(turns.take(a[0], "one"));
  g_assert_true(turns.take(a[1], "one"));
  for (std::size_t i = 2; i < a.size(); i++)
    g_assert_false(turns.take(a[i], "one"));
  g_assert_null(turns.next());
  // One that gives up while it waits makes no room.
  turns.leave(a[2]);
  g_assert_null(turns.next());
  turns.leave(a[0]);
  // Nobody overtakes those who wait.
  g_assert_false(turns.take(a[0], "one"));
  g_assert_true(turns.next() == &a[3]);
  g_assert_null(turns.next());
  // Who takes another turn is behind all.
  g_assert_false(turns.take(a[1], "one"));
  g_assert_true(turns.next() == &a[4]);
  g_assert_null(turns.next());
  turns.leave(a[3]);
  turns.leave(a[4]);
  g_assert_true(turns.next() == &a[0]);
  g_assert_true(turns.next() == &a[1]);
  for (auto &place : a)
    turns.leave(place);
  for (auto &place : a)
    turns.leave(place);  // once more does nothing
  g_assert_true(turns.take(a[4], "one"));
}

// One origin that is mute holds up nobody who wants another.
void test_each_origin () {
  PullTurns turns;
  turns.set_limit(1);
  Places a;
  g_assert_true(turns.take(a[0], "one"));
  g_assert_false(turns.take(a[1], "one"));
  g_assert_true(turns.take(a[2], "two"));
  g_assert_false(turns.take(a[3], "two"));
  turns.leave(a[2]);
  g_assert_true(turns.next() == &a[3]);
  g_assert_null(turns.next());
  // It turns to another one.
  g_assert_true(turns.take(a[1], "three"));
  turns.leave(a[0]);
  g_assert_null(turns.next());
}

void test_another_limit () {
  PullTurns turns;
  turns.set_limit(1);
  Places a;
  for (auto &place : a)
    turns.take(place, "one");
  turns.set_limit(3);
  g_assert_true(turns.next() == &a[1]);
  g_assert_true(turns.next() == &a[2]);
  g_assert_null(turns.next());
  turns.set_limit(1);
  turns.leave(a[0]);
  turns.leave(a[1]);
  g_assert_null(turns.next());
  turns.leave(a[2]);
  g_assert_true(turns.next() == &a[3]);
}

}  // namespace

static const agora::Suite suite("pull-turns", [] {
  g_test_add_func("/pull-turns/in-order", test_in_order);
  g_test_add_func("/pull-turns/each-origin", test_each_origin);
  g_test_add_func("/pull-turns/another-limit", test_another_limit);
});

}  // namespace pull_turns_test
