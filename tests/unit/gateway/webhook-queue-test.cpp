// SPDX-License-Identifier: LGPL-2.1-or-later
// Which event is told next, and which is not told at all.
#include <glib.h>

#include <set>
#include <vector>

#include "signaling/gateway/operator/webhook-queue.hpp"
#include "tests/suite.hpp"

namespace webhook_queue_test {

using agora::gateway::WebhookQueue;
using Event = WebhookQueue::Event;

namespace {

Event event (const std::string &channel, const std::string &id, const std::string &state = "") {
  return {channel, state, id, "body of " + id, 0};
}

void assert_text (const std::string &is, const char *expected) {
  g_assert_cmpstr(is.c_str(), ==, expected);
}

// The ids of what is sent, one after another.
std::string sent (WebhookQueue &queue) {
  std::string ids;
  while (auto next = queue.pop()) {
    ids += (ids.empty() ? "" : " ") + next->id;
    queue.done(*next);
  }
  return ids;
}

void test_turns () {
  WebhookQueue queue(100, 6);
  for (const char *id : {"a1", "a2", "a3", "a4", "a5"})
    g_assert_true(queue.push(event("a", id)));
  queue.push(event("b", "b1"));
  queue.push(event("b", "b2"));
  queue.push(event("c", "c1"));
  g_assert_cmpuint(queue.size(), ==, 8);
  assert_text(sent(queue), "a1 b1 c1 a2 b2 a3 a4 a5");
  g_assert_cmpuint(queue.size(), ==, 0);
  g_assert_false(queue.has_due());
}

void test_last_state () {
  WebhookQueue queue(100, 6);
  queue.push(event("a", "in"));
  queue.push(event("a", "r1", "role 7"));
  queue.push(event("a", "s1", "role 8"));
  for (int i = 2; i < 1000; i++)
    g_assert_true(queue.push(event("a", "r" + std::to_string(i), "role 7")));
  queue.push(event("a", "out"));
  queue.push(event("b", "r1", "role 7"));
  g_assert_cmpuint(queue.size(), ==, 5);
  assert_text(sent(queue), "in r1 r999 s1 out");
}

void test_under_way () {
  WebhookQueue queue(100, 2);
  for (int i = 0; i < 5; i++)
    queue.push(event("a", "a" + std::to_string(i), i > 2 ? "role 7" : ""));
  const Event first = *queue.pop();
  const Event second = *queue.pop();
  g_assert_false(queue.pop().has_value());
  g_assert_true(queue.has_due());
  // What is under way can't be changed: its change is an event of its own.
  queue.push(event("b", "b0"));
  assert_text(queue.pop()->id, "b0");
  queue.done(first);
  assert_text(queue.pop()->id, "a2");
  queue.done(second);
  assert_text(queue.pop()->id, "a4");
  g_assert_false(queue.pop().has_value());
}

void test_resting () {
  WebhookQueue queue(100, 6);
  queue.push(event("a", "r1", "role 7"));
  queue.push(event("a", "x1"));
  Event role = *queue.pop();
  Event other = *queue.pop();
  role.tries = other.tries = 1;
  queue.rest(role, 500);
  queue.rest(other, 800);
  g_assert_true(queue.next_wake() == 500);
  g_assert_cmpuint(queue.size(), ==, 2);
  queue.wake(499);
  g_assert_false(queue.has_due());
  queue.push(event("a", "r2", "role 7"));
  queue.wake(500);
  // There is a newer one.
  assert_text(sent(queue), "r2");
  queue.wake(800);
  const Event again = *queue.pop();
  assert_text(again.id, "x1");
  g_assert_cmpuint(again.tries, ==, 1);
  queue.done(again);
  g_assert_false(queue.next_wake().has_value());
  g_assert_cmpuint(queue.size(), ==, 0);
}

void test_bound () {
  WebhookQueue queue(10, 6);
  for (int i = 0; i < 10; i++)
    g_assert_true(queue.push(event("a", "a" + std::to_string(i))));
  g_assert_false(queue.push(event("a", "a10")));
  // Another channel's has a place.
  g_assert_false(queue.push(event("b", "b0")));
  g_assert_cmpuint(queue.size(), ==, 10);
  assert_text(sent(queue), "a0 b0 a1 a2 a3 a4 a5 a6 a7 a8");
  // Of those that rest as well.
  for (int i = 0; i < 10; i++)
    queue.push(event("a", "a" + std::to_string(i)));
  std::vector<Event> all;
  while (auto next = queue.pop())
    queue.rest(*next, 100 + static_cast<int>(queue.size()));
  g_assert_false(queue.push(event("b", "b0")));
  g_assert_cmpuint(queue.size(), ==, 10);
  assert_text(sent(queue), "b0");
  queue.wake(1000);
  assert_text(sent(queue), "a0 a1 a2 a3 a4 a5 a6 a7 a8");
  // Nothing can be taken back of what is under way.
  for (int i = 0; i < 10; i++)
    queue.push(event(i < 6 ? "a" : "c", "x" + std::to_string(i)));
  std::vector<Event> under_way;
  while (auto next = queue.pop())
    under_way.push_back(*next);
  g_assert_cmpuint(under_way.size(), ==, 10);
  g_assert_false(queue.push(event("b", "b0")));
  g_assert_false(queue.has_due());
  for (const Event &each : under_way)
    queue.done(each);
  g_assert_cmpuint(queue.size(), ==, 0);
}

// Whatever comes in whatever order, each is told once or counted as dropped.
void test_nothing_is_lost () {
  for (guint32 seed = 1; seed <= 50; seed++) {
    GRand *random = g_rand_new_with_seed(seed);
    WebhookQueue queue(20, 3);
    std::vector<Event> under_way;
    std::set<std::string> told;
    std::int64_t now = 0;
    int pushed = 0;
    for (int i = 0; i < 2000; i++) {
      const std::string channel(1, static_cast<char>('a' + g_rand_int_range(random, 0, 5)));
      const int what = g_rand_int_range(random, 0, 10);
      now += 10;
      if (what < 5) {
        const bool folds = what < 2;
        queue.push(event(channel, std::to_string(pushed++), folds ? "role" : ""));
      } else if (what < 8) {
        if (auto next = queue.pop())
          under_way.push_back(*next);
      } else if (!under_way.empty()) {
        Event event = under_way.back();
        under_way.pop_back();
        if (what == 8) {
          g_assert_true(told.insert(event.id).second);
          queue.done(event);
        } else {
          queue.rest(event, now + 100);
        }
      }
      queue.wake(now);
      g_assert_cmpuint(queue.size(), <=, 20);
    }
    for (Event &each : under_way)
      queue.done(each);
    queue.wake(now + 1000);
    while (auto next = queue.pop()) {
      g_assert_true(told.insert(next->id).second);
      queue.done(*next);
    }
    g_assert_cmpuint(queue.size(), ==, 0);
    g_assert_cmpuint(told.size(), >, 100);
    g_rand_free(random);
  }
}

}  // namespace

static const agora::Suite suite("webhook-queue", [] {
  g_test_add_func("/gateway/webhooks/turns", test_turns);
  g_test_add_func("/gateway/webhooks/last-state", test_last_state);
  g_test_add_func("/gateway/webhooks/under-way", test_under_way);
  g_test_add_func("/gateway/webhooks/resting", test_resting);
  g_test_add_func("/gateway/webhooks/bound", test_bound);
  g_test_add_func("/gateway/webhooks/nothing-is-lost", test_nothing_is_lost);
});

}  // namespace webhook_queue_test
