// SPDX-License-Identifier: LGPL-2.1-or-later
// The end of a pipeline: elsewhere, and known, so that nothing is taken from under one that plays.
#include "gst/web/pipeline.hpp"

#include <condition_variable>
#include <mutex>

using namespace agora;
using namespace agora::web;

namespace {

// What holds a streaming thread, until it is told otherwise.
struct Gate {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  bool entered = false, open = false;

  void pass () {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
  }
  void wait_entered () {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return entered; });
  }
  void let_go () {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

GstElement *add (Pipeline &pipeline, const char *name) {
  GstElement *element = gst_element_factory_make(name, nullptr);
  g_assert_nonnull(element);
  gst_bin_add(pipeline.bin(), element);
  return element;
}

void test_one_that_takes_its_time () {
  Gate gate;
  bool stopped = false;
  {
    Pipeline pipeline({});
    GstElement *source = add(pipeline, "fakesrc");
    GstElement *sink = add(pipeline, "fakesink");
    g_object_set(sink, "signal-handoffs", TRUE, "async", FALSE, nullptr);
    g_signal_connect(
        sink, "handoff",
        G_CALLBACK(+[] (GstElement *, GstBuffer *, GstPad *, Gate *held) { held->pass(); }), &gate);
    g_assert_true(gst_element_link(source, sink));
    g_assert_true(pipeline.play());
    gate.wait_entered();
    pipeline.end([&stopped] { stopped = true; });
  }
  g_assert_cmpuint(pipelines_ending(), ==, 1);
  const gint64 began = g_get_monotonic_time();
  g_assert_false(await_pipelines(50));
  g_assert_cmpint(g_get_monotonic_time() - began, >=, 50'000);
  g_assert_cmpuint(pipelines_ending(), ==, 1);
  g_assert_false(stopped);
  gate.let_go();
  g_assert_true(await_pipelines(10'000));
  g_assert_cmpuint(pipelines_ending(), ==, 0);
  g_assert_true(stopped);
}

// webrtcbin in the middle of its making: not before it says so.
void test_one_that_may_not_stop_yet () {
  unsigned asked = 0;
  bool stopped = false;
  {
    Pipeline pipeline({});
    add(pipeline, "fakesrc");
    pipeline.end([&stopped] { stopped = true; }, [&asked] { return ++asked > 2; });
  }
  g_assert_cmpuint(asked, ==, 1);
  g_assert_true(await_pipelines(10'000));
  g_assert_cmpuint(asked, ==, 3);
  g_assert_true(stopped);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/pipeline/one-that-takes-its-time", test_one_that_takes_its_time);
  g_test_add_func("/web/pipeline/one-that-may-not-stop-yet", test_one_that_may_not_stop_yet);
  return g_test_run();
}
