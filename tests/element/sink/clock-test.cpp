// SPDX-License-Identifier: LGPL-2.1-or-later
// When agorasink sends each frame, on a clock that goes on only as the test says.
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gst/sink/silence.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_clock_test {

namespace {

using namespace agora::test;
using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;

// Of AAC at 48 kHz.
constexpr GstClockTime frame_length = 1024 * GST_SECOND / 48'000;

BufferPtr frame (GstClockTime time) {
  BufferPtr made = agora::silent_frame(agora::AacFormat());
  GST_BUFFER_PTS(made.get()) = time;
  return made;
}

// An agorasink that is fed frame by frame.
class Fed {
 public:
  explicit Fed(const std::function<void(GstElement *)> &prepare = {})
      : element_(agora::sink_ref(gst_element_factory_make("agorasink", nullptr))) {
    set_script(&script_);
    g_object_set(element_.get(), "max-backlog", 60'000, nullptr);
    if (prepare)
      prepare(element_.get());
    harness_ = gst_harness_new_with_element(element_.get(), "sink", nullptr);
    clock_ = ObjectPtr<GstTestClock>(
        (gst_harness_use_testclock(harness_), gst_harness_get_testclock(harness_)));
    // The harness has turned it off.
    g_object_set(element_.get(), "sync", TRUE, nullptr);
    gst_harness_set_src_caps(harness_, agora::default_aac_caps().release());
  }
  ~Fed() {
    if (feeding_.joinable()) {
      gst_element_set_state(element_.get(), GST_STATE_NULL);
      feeding_.join();
    }
    gst_harness_teardown(harness_);
  }
  Fed(const Fed &) = delete;
  Fed &operator=(const Fed &) = delete;

  // From a thread of its own, as each may have to wait.
  void push (std::vector<GstClockTime> times) {
    fed();
    feeding_ = std::thread([this, times = std::move(times)] {
      for (const GstClockTime time : times)
        gst_harness_push(harness_, frame(time).release());
    });
  }
  // All of it has been sent.
  void fed () {
    if (feeding_.joinable())
      feeding_.join();
  }
  // The clock goes on to where it is waited for, which must be `time`.
  void expect_wait (GstClockTime time) {
    g_assert_true(gst_harness_wait_for_clock_id_waits(harness_, 1, 10));
    g_assert_cmpuint(gst_test_clock_get_next_entry_time(clock_.get()), ==, time);
    g_assert_true(gst_harness_crank_single_clock_wait(harness_));
  }
  // What is waited for is over already, so many times.
  void release (unsigned times) {
    while (times-- > 0) {
      g_assert_true(gst_harness_wait_for_clock_id_waits(harness_, 1, 10));
      g_assert_true(gst_harness_crank_single_clock_wait(harness_));
    }
  }
  void event (GstEvent *event) { gst_harness_push_event(harness_, event); }
  GstClockTime position () const {
    gint64 position = -1;
    g_assert_true(gst_element_query_position(element_.get(), GST_FORMAT_TIME, &position));
    return static_cast<GstClockTime>(position);
  }
  guint64 queued_ms () const {
    GstStructure *stats = nullptr;
    g_object_get(element_.get(), "stats", &stats, nullptr);
    guint64 value = 0;
    g_assert_true(gst_structure_get_uint64(stats, "queued-ms", &value));
    gst_structure_free(stats);
    return value;
  }
  GstHarness *harness () { return harness_; }
  GstElement *element () { return element_.get(); }
  Script &script () { return script_; }

 private:
  Script script_;
  ObjectPtr<GstElement> element_;
  GstHarness *harness_;
  ObjectPtr<GstTestClock> clock_;
  std::thread feeding_;
};

std::function<void(GstElement *)> with (const char *property, gint64 value) {
  return
      [property, value] (GstElement *element) { g_object_set(element, property, value, nullptr); };
}

void test_in_time () {
  Fed sink;
  sink.push({0, frame_length, 10 * frame_length});
  sink.expect_wait(0);
  sink.expect_wait(frame_length);
  sink.expect_wait(10 * frame_length);
  sink.fed();
  g_assert_cmpuint(sink.position(), ==, 10 * frame_length);
}

// Frames without a timestamp follow each other.
void test_without_stamps () {
  Fed sink;
  sink.push({GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE});
  sink.expect_wait(0);
  sink.expect_wait(frame_length);
  sink.expect_wait(2 * frame_length);
  sink.fed();
}

void test_segment_in_bytes () {
  Fed sink;
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  segment.start = segment.time = segment.position = 100'000;
  sink.event(gst_event_new_segment(&segment));
  sink.push({GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE});
  sink.expect_wait(0);
  sink.expect_wait(frame_length);
  sink.fed();
}

void test_ts_offset () {
  constexpr GstClockTime offset = 30 * GST_MSECOND;
  Fed sink(with("ts-offset", offset));
  sink.push({0, frame_length});
  sink.expect_wait(offset);
  sink.expect_wait(frame_length + offset);
  sink.fed();
}

// Backwards, the last frame comes first.
void test_backwards () {
  Fed sink;
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = -1;
  segment.stop = segment.position = GST_SECOND;
  sink.event(gst_event_new_segment(&segment));
  sink.push({GST_SECOND - frame_length, GST_SECOND - 2 * frame_length});
  sink.expect_wait(0);
  sink.expect_wait(frame_length);
  sink.fed();
}

// A live source's latency and the delay behind: what is answered, and what comes of it.
void test_latency () {
  constexpr GstClockTime upstream = 50 * GST_MSECOND;
  constexpr GstClockTime behind = 20 * GST_MSECOND;
  Fed sink(with("render-delay", behind));
  gst_harness_set_upstream_latency(sink.harness(), upstream);
  sink.push({0});
  sink.expect_wait(0);
  sink.fed();
  GstQuery *query = gst_query_new_latency();
  g_assert_true(gst_element_query(sink.element(), query));
  gboolean live = FALSE;
  GstClockTime least = 0;
  gst_query_parse_latency(query, &live, &least, nullptr);
  gst_query_unref(query);
  g_assert_true(live);
  g_assert_cmpuint(least, ==, upstream + behind);
  g_assert_true(gst_element_send_event(sink.element(), gst_event_new_latency(least)));
  sink.push({frame_length});
  sink.expect_wait(frame_length + upstream);
  sink.fed();
}

// Before any sound, too: no pipeline waits for this one to tell its latency.
void test_latency_before_sound () {
  Fed sink;
  gst_harness_set_upstream_latency(sink.harness(), 50 * GST_MSECOND);
  GstQuery *query = gst_query_new_latency();
  g_assert_true(gst_element_query(sink.element(), query));
  GstClockTime least = 0;
  gst_query_parse_latency(query, nullptr, &least, nullptr);
  gst_query_unref(query);
  g_assert_cmpuint(least, ==, 50 * GST_MSECOND);
}

// Upstream is told how late its frames are.
void test_qos () {
  Fed sink([] (GstElement *element) { g_object_set(element, "qos", TRUE, nullptr); });
  gst_harness_set_time(sink.harness(), 2 * GST_SECOND);
  std::vector<GstClockTime> times;
  for (unsigned i = 0; i < 20; i++)
    times.push_back(i * frame_length);
  sink.push(times);
  sink.release(20);
  sink.fed();
  for (;;) {
    g_autoptr(GstEvent) event = gst_harness_pull_upstream_event(sink.harness());
    g_assert_nonnull(event);
    if (GST_EVENT_TYPE(event) != GST_EVENT_QOS)
      continue;
    GstClockTimeDiff late = 0;
    gst_event_parse_qos(event, nullptr, nullptr, &late, nullptr);
    g_assert_cmpint(late, >, GST_SECOND);
    break;
  }
}

// Late frames are sent at once, whatever their number; or dropped, where that is wanted.
void test_lateness () {
  for (const gint64 most : {G_GINT64_CONSTANT(-1), static_cast<gint64>(GST_SECOND)}) {
    Fed sink(with("max-lateness", most));
    gst_harness_set_time(sink.harness(), 100 * GST_SECOND);
    std::vector<GstClockTime> times;
    for (unsigned i = 0; i < 50; i++)
      times.push_back(i * frame_length);
    sink.push(times);
    sink.release(50);
    sink.fed();
    if (most < 0)
      g_assert_cmpuint(sink.queued_ms(), >, 900);
    else
      g_assert_cmpuint(sink.queued_ms(), <, 100);
  }
}

// Another stream after EOS: another publication.
void test_after_end () {
  Fed sink;
  gst_harness_set_time(sink.harness(), 100 * GST_SECOND);
  sink.push({0, frame_length});
  sink.release(2);
  sink.fed();
  std::thread ends([&] { sink.event(gst_event_new_eos()); });
  sink.release(1);
  ends.join();
  {
    std::unique_lock lock(sink.script().mutex);
    g_assert_true(sink.script().changed.wait_for(lock, std::chrono::seconds(10),
                                                 [&] { return sink.script().unpublished; }));
  }
  sink.event(gst_event_new_stream_start("another"));
  sink.event(gst_event_new_caps(agora::default_aac_caps().get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  sink.event(gst_event_new_segment(&segment));
  std::vector<GstClockTime> times;
  for (unsigned i = 0; i < 20; i++)
    times.push_back(i * frame_length);
  sink.push(times);
  sink.release(20);
  sink.fed();
  {
    // As soon as the old one is closed, and once.
    std::unique_lock lock(sink.script().mutex);
    g_assert_true(sink.script().changed.wait_for(lock, std::chrono::seconds(10),
                                                 [&] { return sink.script().republished > 0; }));
    g_assert_cmpint(sink.script().republished, ==, 1);
  }
  g_assert_cmpuint(sink.queued_ms(), >, 300);
}

}  // namespace

static const agora::Suite suite("clock", [] {
  g_test_add_func("/sink/clock/in-time", test_in_time);
  g_test_add_func("/sink/clock/without-stamps", test_without_stamps);
  g_test_add_func("/sink/clock/segment-in-bytes", test_segment_in_bytes);
  g_test_add_func("/sink/clock/ts-offset", test_ts_offset);
  g_test_add_func("/sink/clock/backwards", test_backwards);
  g_test_add_func("/sink/clock/latency", test_latency);
  g_test_add_func("/sink/clock/latency-before-sound", test_latency_before_sound);
  g_test_add_func("/sink/clock/qos", test_qos);
  g_test_add_func("/sink/clock/lateness", test_lateness);
  g_test_add_func("/sink/clock/after-end", test_after_end);
});

}  // namespace sink_clock_test
