// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/http/event-queue.hpp"

#include <glib.h>

#include "same.hpp"
#include "tests/suite.hpp"

namespace event_queue_test {

using namespace agora::gateway;

namespace {

std::string all (EventQueue &queue) {
  std::string text;
  while (!queue.empty())
    text += *queue.take();
  return text;
}

void test_text () {
  EventQueue queue;
  g_assert_true(queue.push({"joined", R"({"uid":7})"}));
  assert_same(all(queue), "event: joined\ndata: {\"uid\":7}\n\n");
}

void test_newest_levels () {
  EventQueue queue;
  g_assert_true(queue.push({"levels", "1"}));
  g_assert_true(queue.push({"joined", "{}"}));
  g_assert_true(queue.push({"levels", "22"}));
  g_assert_true(queue.push({"levels", "333"}));
  const auto text = all(queue);
  assert_same(text, "event: levels\ndata: 333\n\nevent: joined\ndata: {}\n\n");
  g_assert_cmpuint(queue.bytes(), ==, 0);
  // What was taken out isn't replaced any more.
  g_assert_true(queue.push({"levels", "4"}));
  assert_same(*queue.take(), "event: levels\ndata: 4\n\n");
  g_assert_true(queue.push({"levels", "5"}));
  assert_same(all(queue), "event: levels\ndata: 5\n\n");
}

void test_bounded () {
  EventQueue queue;
  const std::string data(1000, 'x');
  unsigned taken = 0;
  while (queue.push({"stream-added", data}))
    taken++;
  g_assert_cmpuint(taken, >, 200);
  g_assert_cmpuint(queue.bytes(), <=, EventQueue::usual_bytes);
  // Levels without end need no more room than one of them.
  EventQueue levels;
  for (unsigned i = 0; i < 100000; i++)
    g_assert_true(levels.push({"levels", data}));
  g_assert_cmpuint(levels.bytes(), <, 2000);
}

// What it begins with comes beside the bound.
void test_beginning () {
  EventQueue queue;
  const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  g_assert_true(queue.append(std::make_shared<const std::string>(head)));
  const std::string beginning(2 * EventQueue::usual_bytes, 'x');
  queue.begin(beginning);
  g_assert_cmpuint(queue.bytes(), ==, head.size());
  const std::string rest(EventQueue::usual_bytes - head.size(), 'y');
  g_assert_true(queue.append(std::make_shared<const std::string>(rest)));
  g_assert_false(queue.push({"joined", "{}"}));
  assert_same(*queue.take(), head);
  g_assert_true(*queue.take() == beginning);
  g_assert_cmpuint(queue.bytes(), ==, rest.size());
  g_assert_true(*queue.take() == rest);
  g_assert_cmpuint(queue.bytes(), ==, 0);
}

void test_beat () {
  EventQueue queue;
  queue.beat();
  queue.beat();
  assert_same(all(queue), ":\n\n");
}

}  // namespace

static const agora::Suite suite("event-queue", [] {
  g_test_add_func("/web/event-queue/text", test_text);
  g_test_add_func("/web/event-queue/newest-levels", test_newest_levels);
  g_test_add_func("/web/event-queue/bounded", test_bounded);
  g_test_add_func("/web/event-queue/beginning", test_beginning);
  g_test_add_func("/web/event-queue/beat", test_beat);
});

}  // namespace event_queue_test
