// SPDX-License-Identifier: LGPL-2.1-or-later
// What client and gateway share beside GLib.
#include <glib.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <set>

#include "signaling/support/descriptor-limit.hpp"
#include "signaling/support/hex.hpp"
#include "signaling/support/network.hpp"
#include "signaling/support/restart-pause.hpp"
#include "signaling/support/secret.hpp"
#include "signaling/support/timer-queue.hpp"
#include "signaling/support/timer.hpp"
#include "signaling/support/token-bucket.hpp"

using namespace agora;

namespace {

unsigned take_all (TokenBucket &bucket, std::int64_t at) {
  unsigned taken = 0;
  while (bucket.take(at))
    taken++;
  return taken;
}

void test_bucket_burst () {
  TokenBucket bucket(5, 10);
  constexpr std::int64_t start = 1'000'000;
  g_assert_cmpuint(take_all(bucket, start), ==, 10);
  g_assert_cmpuint(take_all(bucket, start + 199), ==, 0);
  g_assert_cmpuint(take_all(bucket, start + 200), ==, 1);
  g_assert_cmpuint(take_all(bucket, start + 1200), ==, 5);
  // Never more than the burst, however long nobody asked: also where the product would overflow.
  g_assert_cmpuint(take_all(bucket, start + 60'000), ==, 10);
  g_assert_cmpuint(take_all(bucket, G_MAXINT64), ==, 10);
}

void test_bucket_clock_goes_back () {
  TokenBucket bucket(5, 10);
  take_all(bucket, 5'000);
  g_assert_cmpuint(take_all(bucket, 1'000), ==, 0);
}

void test_bucket_debt () {
  TokenBucket bucket(10, 20);
  for (int i = 0; i < 20; i++)
    g_assert_true(bucket.charge(1'000));
  for (int i = 0; i < 80; i++)
    g_assert_false(bucket.charge(1'000));
  g_assert_false(bucket.owes_more_than(4));
  g_assert_false(bucket.charge(1'000));
  g_assert_true(bucket.owes_more_than(4));
  // 81 owed: that many tenths of a second to be even, one more for a token.
  g_assert_false(bucket.charge(9'100));
  g_assert_true(bucket.charge(9'300));
}

void test_bucket_no_rate () {
  TokenBucket bucket(0, 2);
  g_assert_cmpuint(take_all(bucket, 1'000), ==, 2);
  g_assert_cmpuint(take_all(bucket, 1'000'000), ==, 0);
}

void test_hex () {
  constexpr std::array<std::uint8_t, 4> bytes = {0x00, 0x0f, 0xa5, 0xff};
  g_assert_true(to_hex(bytes) == "000fa5ff");
  g_assert_true(to_hex(bytes, HexCase::upper) == "000FA5FF");
  g_assert_true(to_hex({}) == "");
}

void test_secrets_differ () {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; i++)
    seen.insert(draw_secret());
  g_assert_cmpuint(seen.size(), ==, 1000);
  for (const auto &secret : seen) {
    g_assert_cmpuint(secret.size(), ==, 64);
    g_assert_true(secret.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
}

void test_same_secret () {
  g_assert_true(same_secret("", ""));
  g_assert_true(same_secret("abc", "abc"));
  g_assert_false(same_secret("abc", "abd"));
  g_assert_false(same_secret("abc", "xbc"));
  g_assert_false(same_secret("abc", "ab"));
  g_assert_false(same_secret("", "abc"));
}

void test_addresses () {
  g_assert_true(plain_address("::ffff:10.0.0.1") == "10.0.0.1");
  g_assert_true(plain_address("2001:db8::1") == "2001:db8::1");
  g_assert_true(network_of("10.0.0.1") == "10.0.0.1");
  g_assert_true(network_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64");
  g_assert_true(network_of("fe80::1%eth0") == "fe80::/64");
}

void test_timer_queue () {
  TimerQueue<int> queue;
  g_assert_false(queue.next().has_value());
  queue.set(1, 30);
  queue.set(2, 10);
  queue.set(1, 20);
  queue.set(3, 15);
  queue.cancel(3);
  g_assert_cmpint(*queue.next(), ==, 10);
  g_assert_false(queue.pop(9).has_value());
  g_assert_cmpint(*queue.pop(30), ==, 2);
  g_assert_cmpint(*queue.pop(30), ==, 1);
  g_assert_false(queue.pop(30).has_value());
}

// A hundred fall together in at most five moments of a second, none an eighth of one away. What
// wakes up a little late each time keeps its pace.
void test_common_moment () {
  const gint64 now = g_get_monotonic_time();
  std::set<gint64> moments;
  for (gint64 i = 0; i < 100; i++) {
    const gint64 due = now + 3 * G_USEC_PER_SEC + i * G_USEC_PER_SEC / 100;
    const gint64 at = common_moment(due);
    g_assert_cmpint(std::abs(at - due), <=, G_USEC_PER_SEC / 8);
    moments.insert(at);
  }
  g_assert_cmpuint(moments.size(), <=, 5);
  gint64 at = common_moment(now);
  for (int i = 0; i < 100; i++) {
    const gint64 next = common_moment(at + 2 * G_TIME_SPAN_MILLISECOND + 3 * G_USEC_PER_SEC);
    g_assert_cmpint(next - at, ==, 3 * G_USEC_PER_SEC);
    at = next;
  }
}

void test_timer_moves () {
  ContextPtr context(g_main_context_new());
  int fired = 0;
  Timer timer([&] { fired++; }, context.get());
  timer.in(3'600'000);
  timer.in(0);
  while (fired == 0)
    g_main_context_iteration(context.get(), TRUE);
  // Once for each time that it is set.
  while (g_main_context_iteration(context.get(), FALSE)) {
  }
  g_assert_cmpint(fired, ==, 1);
  timer.in(0);
  timer.stop();
  while (g_main_context_iteration(context.get(), FALSE)) {
  }
  g_assert_cmpint(fired, ==, 1);
}

// It fires in the context that it was given, whatever is the thread's default when it is set.
void test_timer_context () {
  ContextPtr mine(g_main_context_new());
  ContextPtr other(g_main_context_new());
  int fired = 0;
  Timer timer([&] { fired++; }, mine.get());
  g_main_context_push_thread_default(other.get());
  timer.in(0);
  g_main_context_pop_thread_default(other.get());
  while (g_main_context_iteration(other.get(), FALSE)) {
  }
  g_assert_cmpint(fired, ==, 0);
  while (fired == 0)
    g_main_context_iteration(mine.get(), TRUE);
}

void test_timer_ends_its_owner () {
  ContextPtr context(g_main_context_new());
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>([&] { timer.reset(); }, context.get());
  timer->in(0);
  while (timer)
    g_main_context_iteration(context.get(), TRUE);
}

void test_descriptor_limit () {
  rlimit limit{};
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_max / 2;
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  raise_descriptor_limit();
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpuint(limit.rlim_cur, ==, limit.rlim_max);
}

void test_restart_pause () {
  constexpr std::int64_t second = 1'000'000;
  RestartPause pause;
  g_assert_cmpuint(pause.after(60 * second), ==, 0);
  for (const unsigned expected : {100U, 200U, 400U, 800U, 1600U, 3200U, 6400U, 10'000U, 10'000U}) {
    g_assert_cmpuint(pause.after(second), ==, expected);
    g_assert_cmpuint(pause.ms(), ==, expected);
  }
  g_assert_cmpuint(pause.after(11 * second), ==, 0);
  g_assert_cmpuint(pause.after(0), ==, 100);
}

}  // namespace

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/support/bucket/burst", test_bucket_burst);
  g_test_add_func("/support/bucket/clock-goes-back", test_bucket_clock_goes_back);
  g_test_add_func("/support/bucket/debt", test_bucket_debt);
  g_test_add_func("/support/bucket/no-rate", test_bucket_no_rate);
  g_test_add_func("/support/descriptor-limit", test_descriptor_limit);
  g_test_add_func("/support/restart-pause", test_restart_pause);
  g_test_add_func("/support/hex", test_hex);
  g_test_add_func("/support/secrets-differ", test_secrets_differ);
  g_test_add_func("/support/same-secret", test_same_secret);
  g_test_add_func("/support/addresses", test_addresses);
  g_test_add_func("/support/timer-queue", test_timer_queue);
  g_test_add_func("/support/timer/common-moment", test_common_moment);
  g_test_add_func("/support/timer/moves", test_timer_moves);
  g_test_add_func("/support/timer/context", test_timer_context);
  g_test_add_func("/support/timer/ends-its-owner", test_timer_ends_its_owner);
  return g_test_run();
}
