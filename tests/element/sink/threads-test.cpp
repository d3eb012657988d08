// SPDX-License-Identifier: LGPL-2.1-or-later
// Whoever asks agorasink or flushes it while its lanes come and go; gaps; and whoever holds a part
// of it.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "tests/element/sink/inside.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_threads_test {

namespace {

using namespace agora::test;
using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;
using agora::VoiceCodec;

// --- What comes in by hand

// An agorasink alone in its pipeline, and a pad before it.
class Hand {
 public:
  explicit Hand(const char *more)
      : run("pipeline.( agorasink name=sink app-id=demo channel=room " + std::string(more) + " )"),
        pad(agora::sink_ref(gst_pad_new("src", GST_PAD_SRC))) {
    gst_pad_set_active(pad.get(), TRUE);
    const ObjectPtr<GstPad> in(gst_element_get_static_pad(run.get("sink").get(), "sink"));
    g_assert_cmpint(gst_pad_link(pad.get(), in.get()), ==, GST_PAD_LINK_OK);
  }
  ~Hand() { run.stop(); }

  void begin (GstCaps *caps) {
    push(gst_event_new_stream_start("hand"));
    push(gst_event_new_caps(caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push(gst_event_new_segment(&segment));
  }
  bool push (GstEvent *event) { return gst_pad_push_event(pad.get(), event); }
  GstFlowReturn push_raw () {
    BufferPtr buffer = raw_silence(10 * GST_MSECOND);
    GST_BUFFER_PTS(buffer.get()) = time;
    GST_BUFFER_DURATION(buffer.get()) = 10 * GST_MSECOND;
    time += 10 * GST_MSECOND;
    return gst_pad_push(pad.get(), buffer.release());
  }

  Run run;
  ObjectPtr<GstPad> pad;
  GstClockTime time = 0;
};

// Asks as a player does that shows how far it is, until it is gone.
class Asking {
 public:
  explicit Asking(const ObjectPtr<GstElement> &element) {
    for (std::thread &each : threads_)
      each = std::thread([this, of = element.get()] {
        while (!over_) {
          gint64 value = 0;
          gst_element_query_position(of, GST_FORMAT_TIME, &value);
          gst_element_query_duration(of, GST_FORMAT_TIME, &value);
          GstQuery *latency = gst_query_new_latency();
          gst_element_query(of, latency);
          gst_query_unref(latency);
          asked_++;
        }
      });
  }
  ~Asking() {
    over_ = true;
    for (std::thread &each : threads_)
      each.join();
    g_test_message("asked %d times", asked_.load());
    g_assert_cmpint(asked_, >, 0);
  }
  Asking(const Asking &) = delete;
  Asking &operator=(const Asking &) = delete;

 private:
  std::atomic<bool> over_ = false;
  std::atomic<int> asked_ = 0;
  std::thread threads_[2];
};

void test_asked_while_stopping () {
  Script script;
  set_script(&script);
  Run run("audiotestsrc samplesperbuffer=480" + sink("max-backlog=60000"));
  const ObjectPtr<GstElement> sink = run.get("sink");
  const Asking asking(sink);
  for (int i = 0; i < 100; i++) {
    // How long it takes while others hold its locks is another matter.
    gst_element_set_state(run.pipeline(), GST_STATE_PLAYING);
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    want_codecs({VoiceCodec::aac, VoiceCodec::opus});
    run.await_stat("queued-ms", 20);
    gst_element_set_state(run.pipeline(), GST_STATE_READY);
  }
}

void test_asked_while_changing () {
  Script script;
  set_script(&script);
  Hand hand("sync=false async=false");
  const ObjectPtr<GstElement> sink = hand.run.get("sink");
  hand.run.play();
  hand.begin(raw_caps().get());
  const Asking asking(sink);
  const CapsPtr aac = framed_caps();
  const CapsPtr raw = raw_caps();
  for (int i = 0; i < 150; i++) {
    g_assert_cmpint(hand.push_raw(), ==, GST_FLOW_OK);
    want_codecs(i % 2 ? agora::VoiceCodecs{VoiceCodec::aac}
                      : agora::VoiceCodecs{VoiceCodec::aac, VoiceCodec::opus});
    g_assert_cmpint(hand.push_raw(), ==, GST_FLOW_OK);
    g_assert_true(hand.push(gst_event_new_caps(aac.get())));
    g_assert_true(hand.push(gst_event_new_caps(raw.get())));
  }
}

// Listeners of another codec come and go, and those who were there hear on.
void test_come_and_go () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("lanes-aac");
  set_script(&script);
  Run run(std::string(tone) + sink("codec=auto"));
  run.play();
  const Asking asking(run.get("sink"));
  Ear ear(script.url);
  ear.hear(GST_SECOND);
  give_urls({{VoiceCodec::aac, script.url}, {VoiceCodec::opus, server_url("lanes-opus")}});
  for (int i = 0; i < 4; i++) {
    want_codecs({VoiceCodec::aac, VoiceCodec::opus});
    await_inside(run, "opusenc");
    ear.hear(200 * GST_MSECOND);
    want_codecs({VoiceCodec::aac});
    await_inside(run, "opusenc", false);
    ear.hear(200 * GST_MSECOND);
  }
}

// A pair of threads that wait for one another.
class Moment {
 public:
  void come () {
    std::lock_guard lock(mutex_);
    there_ = true;
    changed_.notify_all();
  }
  void await () {
    std::unique_lock lock(mutex_);
    g_assert_true(changed_.wait_for(lock, std::chrono::seconds(15), [this] { return there_; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool there_ = false;
};

struct SlowAnswer {
  Moment asked;
  Moment changed;
};

// The lanes that a query went through are gone when its answer comes.
void test_answered_after_change () {
  Script script;
  set_script(&script);
  Hand hand("sync=false async=false");
  SlowAnswer slow;
  gst_pad_set_element_private(hand.pad.get(), &slow);
  gst_pad_set_query_function(
      hand.pad.get(), [] (GstPad *pad, GstObject *parent, GstQuery *query) -> gboolean {
        if (GST_QUERY_TYPE(query) != GST_QUERY_DURATION)
          return gst_pad_query_default(pad, parent, query);
        auto *moments = static_cast<SlowAnswer *>(gst_pad_get_element_private(pad));
        moments->asked.come();
        moments->changed.await();
        gst_query_set_duration(query, GST_FORMAT_TIME, 7);
        return TRUE;
      });
  hand.run.play();
  hand.begin(raw_caps().get());
  for (int i = 0; i < 10; i++)
    g_assert_cmpint(hand.push_raw(), ==, GST_FLOW_OK);
  const ObjectPtr<GstElement> sink = hand.run.get("sink");
  gint64 duration = -1;
  std::thread asking([&] { gst_element_query_duration(sink.get(), GST_FORMAT_TIME, &duration); });
  slow.asked.await();
  const CapsPtr aac = framed_caps();
  const CapsPtr raw = raw_caps();
  g_assert_true(hand.push(gst_event_new_caps(aac.get())));
  g_assert_true(hand.push(gst_event_new_caps(raw.get())));
  g_assert_cmpint(hand.push_raw(), ==, GST_FLOW_OK);
  slow.changed.come();
  asking.join();
  g_assert_cmpint(duration, ==, 7);
}

// A flush comes while what the old elements hold waits in PAUSED for the change to another kind:
// it is still inside of them when they are gone.
struct SlowFlush {
  std::atomic<bool> armed = false;
  Moment flushes;
  Moment changed;
};

void test_flushed_while_draining () {
  Script script;
  set_script(&script);
  Hand hand("");
  SlowFlush slow;
  const ObjectPtr<GstBus> bus(gst_element_get_bus(hand.run.pipeline()));
  // What the frame sink says of the flush it says inside of it.
  gst_bus_set_sync_handler(
      bus.get(),
      [] (GstBus *, GstMessage *message, gpointer data) {
        auto *moments = static_cast<SlowFlush *>(data);
        const bool of_flush = g_strcmp0(GST_MESSAGE_SRC_NAME(message), "pace") == 0 &&
                              (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ASYNC_START ||
                               GST_MESSAGE_TYPE(message) == GST_MESSAGE_STATE_CHANGED);
        if (of_flush && moments->armed.exchange(false)) {
          moments->flushes.come();
          moments->changed.await();
        }
        return GST_BUS_PASS;
      },
      &slow, nullptr);
  hand.run.set_state(GST_STATE_PAUSED);
  Moment drains;
  bool taken = false;
  std::thread feeding([&] {
    hand.begin(raw_caps().get());
    g_assert_cmpint(hand.push_raw(), ==, GST_FLOW_OK);
    const CapsPtr aac = framed_caps();
    drains.come();
    taken = hand.push(gst_event_new_caps(aac.get()));
    slow.changed.come();
  });
  drains.await();
  // What waits there has prerolled.
  g_assert_cmpint(hand.run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  slow.armed = true;
  g_assert_true(hand.push(gst_event_new_flush_start()));
  feeding.join();
  g_assert_true(taken);
  g_assert_false(slow.armed);
  g_assert_true(hand.push(gst_event_new_flush_stop(TRUE)));
  gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
}

// --- Gaps

// Sound that begins with a gap: it prerolls, as any sink does, and the gap takes its time.
void test_gap_first (gconstpointer data) {
  const bool raw = GPOINTER_TO_INT(data) != 0;
  Script script;
  set_script(&script);
  Hand hand("max-backlog=60000");
  g_assert_cmpint(hand.run.set_state(GST_STATE_PAUSED), ==, GST_STATE_CHANGE_ASYNC);
  std::atomic<bool> over = false;
  Moment prerolled;
  std::thread feeding([&] {
    const CapsPtr caps = raw ? raw_caps() : framed_caps();
    hand.begin(caps.get());
    for (int i = 0; i < 10; i++)
      hand.push(
          gst_event_new_gap(static_cast<GstClockTime>(i) * 100 * GST_MSECOND, 100 * GST_MSECOND));
    prerolled.await();
    hand.time = GST_SECOND;
    if (raw)
      for (int i = 0; i < 100 && !over; i++)
        hand.push_raw();
  });
  g_assert_cmpint(hand.run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  prerolled.come();
  const gint64 begin = g_get_monotonic_time();
  hand.run.play();
  g_assert_cmpint(hand.run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  if (raw) {
    hand.run.await_stat("queued-ms", 300);
    g_assert_cmpfloat(milliseconds_since(begin), >, 1200);
  }
  over = true;
  hand.run.stop();
  feeding.join();
}

// PAUSED in the middle of one.
void test_gap_in_between () {
  Script script;
  set_script(&script);
  Hand hand("max-backlog=60000");
  hand.run.set_state(GST_STATE_PLAYING);
  Moment sounds;
  std::thread feeding([&] {
    hand.begin(raw_caps().get());
    for (int i = 0; i < 20; i++)
      hand.push_raw();
    sounds.come();
    for (int i = 2; i < 100; i++)
      hand.push(
          gst_event_new_gap(static_cast<GstClockTime>(i) * 100 * GST_MSECOND, 100 * GST_MSECOND));
  });
  sounds.await();
  let_pass(300 * GST_MSECOND);
  hand.run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(hand.run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  hand.run.stop();
  feeding.join();
}

// --- Who holds a part

// The frame sink may be held for longer than what it belonged to, and be put to use.
void test_frame_sink_outlives () {
  Script script;
  set_script(&script);
  ObjectPtr<GstElement> pace;
  {
    Run run("audiotestsrc samplesperbuffer=480" + sink("max-backlog=60000"));
    pace = run.get("pace");
    run.play();
    run.await_stat("queued-ms", 100);
  }
  g_assert_null(GST_OBJECT_PARENT(pace.get()));
  Run other("audiotestsrc num-buffers=20 ! voaacenc name=encoder");
  gst_bin_add(GST_BIN(other.pipeline()), pace.get());
  g_assert_true(gst_element_link(other.get("encoder").get(), pace.get()));
  other.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(other.settle(), ==, GST_STATE_CHANGE_SUCCESS);
}

}  // namespace

static const agora::Suite suite("threads", [] {
  g_test_add_func("/sink/threads/come-and-go", test_come_and_go);
  g_test_add_func("/sink/threads/asked-while-stopping", test_asked_while_stopping);
  g_test_add_func("/sink/threads/asked-while-changing", test_asked_while_changing);
  g_test_add_func("/sink/threads/answered-after-change", test_answered_after_change);
  g_test_add_func("/sink/threads/flushed-while-draining", test_flushed_while_draining);
  g_test_add_data_func("/sink/threads/gap-first-raw", GINT_TO_POINTER(1), test_gap_first);
  g_test_add_data_func("/sink/threads/gap-first-framed", GINT_TO_POINTER(0), test_gap_first);
  g_test_add_func("/sink/threads/gap-in-between", test_gap_in_between);
  g_test_add_func("/sink/threads/frame-sink-outlives", test_frame_sink_outlives);
});

}  // namespace sink_threads_test
