// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's streams: seeks, rates, segments of every kind, lists, and one stream after another.
// What is sent keeps to the speed of time through all of them.
#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

#include <algorithm>
#include <string>
#include <thread>

#include "gst/sink/silence.hpp"
#include "tests/element/sink/inside.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_seek_test {

namespace {

using namespace agora::test;
using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;

constexpr gint64 second_us = G_USEC_PER_SEC;

std::string wav_file (const char *name, int seconds) {
  return make_file(name, "audiotestsrc samplesperbuffer=480 num-buffers=" +
                             std::to_string(seconds * 100) + " ! audio/x-raw,rate=48000 ! wavenc");
}

gint64 position_ms (const Run &run) {
  gint64 position = -1;
  g_assert_true(gst_element_query_position(run.pipeline(), GST_FORMAT_TIME, &position));
  return position / static_cast<gint64>(GST_MSECOND);
}

bool seek (const Run &run, double rate, int flags, GstClockTime start,
           GstClockTime stop = GST_CLOCK_TIME_NONE) {
  return gst_element_seek(run.pipeline(), rate, GST_FORMAT_TIME, static_cast<GstSeekFlags>(flags),
                          GST_SEEK_TYPE_SET, static_cast<gint64>(start),
                          GST_CLOCK_TIME_IS_VALID(stop) ? GST_SEEK_TYPE_SET : GST_SEEK_TYPE_NONE,
                          GST_CLOCK_TIME_IS_VALID(stop) ? static_cast<gint64>(stop) : -1);
}

// How much sound has come since the last flush, after `us` of real time; a few frames are in the
// muxer and not counted. The real time is what has really passed.
void assert_speed_of_time (const Run &run, gint64 us, double speed = 1) {
  const gint64 begin = g_get_monotonic_time();
  let_pass(static_cast<GstClockTime>(us) * GST_USECOND);
  const auto queued = static_cast<double>(run.stat("queued-ms"));
  const auto passed = static_cast<double>(g_get_monotonic_time() - begin) / 1000 * speed;
  g_test_message("%.0f ms of sound in %.0f ms", queued, passed);
  const auto scale = static_cast<double>(time_scale());
  g_assert_cmpfloat(queued, <, passed + 150 * scale);
  g_assert_cmpfloat(queued, >, passed - 250 * scale);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

// There is nobody to send to: what was sent stays where it can be counted.
void test_flush () {
  const std::string path = wav_file("agora-sink-seek.wav", 60);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink("max-backlog=60000"));
  run.play();
  run.await_stat("queued-ms", 500);
  for (const GstClockTime target : {0, 30}) {
    g_assert_true(seek(run, 1, GST_SEEK_FLAG_FLUSH, target * GST_SECOND));
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    assert_speed_of_time(run, 2 * second_us);
    const gint64 at = position_ms(run) - static_cast<gint64>(target * 1000);
    g_assert_cmpint(at, >, 1700);
    g_assert_cmpint(at, <, 2300 * time_scale());
  }
  g_unlink(path.c_str());
}

// What listeners get of it: neither a burst nor a step back.
void test_flush_heard () {
  if (!have_server())
    return;
  const std::string path = wav_file("agora-sink-seek-heard.wav", 60);
  Script script;
  script.url = server_url("seek");
  set_script(&script);
  Ear ear(script.url);
  Run run("filesrc location=" + path + " ! wavparse" + sink());
  run.play();
  ear.hear(GST_SECOND);
  const GstClockTime before = ear.last();
  const gint64 begin = g_get_monotonic_time();
  g_assert_true(seek(run, 1, GST_SEEK_FLAG_FLUSH, 0));
  ear.hear(3 * GST_SECOND);
  const gint64 took = g_get_monotonic_time() - begin;
  const auto media = static_cast<gint64>((ear.last() - before) / GST_USECOND);
  g_test_message("3 s of sound, %d ms of media time, took %d ms", static_cast<int>(media / 1000),
                 static_cast<int>(took / 1000));
  g_assert_cmpint(took, >, 2 * second_us + second_us / 2);
  g_assert_cmpint(media, >, 2'900'000);
  g_assert_cmpint(media, <, took + second_us);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
  g_unlink(path.c_str());
}

// Twice as fast, half of it is left out; half as fast, there is half of it.
void test_rate () {
  const std::string path = wav_file("agora-sink-rate.wav", 60);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink("max-backlog=60000"));
  run.play();
  run.await_stat("queued-ms", 200);
  for (const double rate : {2.0, 0.5, 1.5}) {
    g_assert_true(seek(run, rate, GST_SEEK_FLAG_FLUSH, 0));
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    assert_speed_of_time(run, 2 * second_us, std::min(rate, 1.0));
    const auto at = static_cast<double>(position_ms(run));
    g_assert_cmpfloat(at, >, 1700 * rate);
    g_assert_cmpfloat(at, <, 2400 * rate * static_cast<double>(time_scale()));
  }
  g_unlink(path.c_str());
}

// Another rate without a flush. What is sent goes on at the speed of time: twice as fast, half of
// it is left out.
void assert_rate (const Run &run, double rate) {
  // The change comes behind what is on its way.
  let_pass(200 * GST_MSECOND);
  const guint64 queued = run.stat("queued-ms");
  const gint64 position = position_ms(run);
  const gint64 begin = g_get_monotonic_time();
  let_pass(2 * GST_SECOND);
  const auto passed = static_cast<double>(g_get_monotonic_time() - begin) / 1000;
  const auto sent = static_cast<double>(run.stat("queued-ms") - queued);
  const auto moved = static_cast<double>(position_ms(run) - position);
  g_test_message("rate %.1f: in %.0f ms, %.0f ms were sent and %.0f ms played", rate, passed, sent,
                 moved);
  const auto scale = static_cast<double>(time_scale());
  g_assert_cmpfloat(sent, <, passed * std::min(rate, 1.0) + 150 * scale);
  g_assert_cmpfloat(sent, >, passed * std::min(rate, 1.0) - 300 * scale);
  g_assert_cmpfloat(moved, <, passed * rate + 200 * scale);
  g_assert_cmpfloat(moved, >, passed * rate - 400 * scale);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

void test_rate_without_flush () {
  const std::string path = wav_file("agora-sink-no-flush.wav", 60);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink("max-backlog=60000"));
  run.play();
  run.await_stat("queued-ms", 500);
  for (const double rate : {2.0, 0.5, 1.0}) {
    const auto from = static_cast<GstClockTime>(position_ms(run)) * GST_MSECOND;
    g_assert_true(seek(run, rate, GST_SEEK_FLAG_NONE, from));
    assert_rate(run, rate);
  }
  g_unlink(path.c_str());
}

// At once, in the sink itself.
void test_instant_rate () {
  const std::string path = make_file(
      "agora-sink-instant.mkv",
      "audiotestsrc samplesperbuffer=480 num-buffers=6000 ! audio/x-raw,rate=48000 ! voaacenc ! "
      "aacparse ! matroskamux");
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! matroskademux" + sink("max-backlog=60000"));
  run.play();
  run.await_stat("queued-ms", 500);
  for (const double rate : {2.0, 0.5, 1.0}) {
    GstEvent *instant = gst_event_new_seek(rate, GST_FORMAT_TIME, GST_SEEK_FLAG_INSTANT_RATE_CHANGE,
                                           GST_SEEK_TYPE_NONE, 0, GST_SEEK_TYPE_NONE, 0);
    g_assert_true(gst_element_send_event(run.pipeline(), instant));
    assert_rate(run, rate);
  }
  g_unlink(path.c_str());
}

// A step of half a second while paused, and one while it plays: what is stepped over isn't sent,
// and the rest keeps its pace.
void test_step () {
  const std::string path = wav_file("agora-sink-step.wav", 60);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink("max-backlog=60000"));
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  const auto step = [&] {
    g_assert_true(gst_element_send_event(
        run.get("sink").get(),
        gst_event_new_step(GST_FORMAT_TIME, 500 * GST_MSECOND, 1, TRUE, FALSE)));
    g_autoptr(GstMessage) done = run.await(GST_MESSAGE_STEP_DONE);
    g_assert_nonnull(done);
    guint64 amount = 0;
    gst_message_parse_step_done(done, nullptr, &amount, nullptr, nullptr, nullptr, nullptr,
                                nullptr);
    g_assert_cmpuint(amount, >=, 450 * GST_MSECOND);
  };
  step();
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  g_assert_cmpuint(run.stat("queued-ms"), ==, 0);
  g_assert_cmpint(position_ms(run), >=, 450);
  g_assert_cmpint(position_ms(run), <, 600);
  run.play();
  run.await_stat("queued-ms", 300);
  const gint64 before = position_ms(run);
  const gint64 began = g_get_monotonic_time();
  step();
  const auto lasted = (g_get_monotonic_time() - began) / 1000;
  g_assert_cmpint(position_ms(run) - before, >=, 400);
  g_assert_cmpint(position_ms(run) - before, <, 700 + lasted);
  const guint64 queued = run.stat("queued-ms");
  const gint64 begin = g_get_monotonic_time();
  let_pass(GST_SECOND);
  const auto passed = static_cast<double>(g_get_monotonic_time() - begin) / 1000;
  const auto sent = static_cast<double>(run.stat("queued-ms") - queued);
  g_test_message("after a step: %.0f ms were sent in %.0f ms", sent, passed);
  g_assert_cmpfloat(sent, <, passed + 150);
  g_assert_cmpfloat(sent, >, passed - 250 * static_cast<double>(time_scale()));
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
  g_unlink(path.c_str());
}

// A part, over and over, without a gap.
void test_segment_loop () {
  const std::string path = wav_file("agora-sink-loop.wav", 10);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink("max-backlog=60000"));
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  constexpr GstClockTime part = 500 * GST_MSECOND;
  g_assert_true(seek(run, 1, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_SEGMENT, 0, part));
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  const gint64 begin = g_get_monotonic_time();
  run.play();
  for (int i = 0; i < 3; i++) {
    g_autoptr(GstMessage) done = run.await(GST_MESSAGE_SEGMENT_DONE);
    g_assert_nonnull(done);
    g_assert_true(seek(run, 1, i < 2 ? GST_SEEK_FLAG_SEGMENT : GST_SEEK_FLAG_NONE, 0, part));
  }
  run.await_eos();
  const gint64 took = g_get_monotonic_time() - begin;
  g_test_message("4 times half a second took %d ms", static_cast<int>(took / 1000));
  g_assert_cmpint(took, >, 1'900'000);
  g_assert_cmpuint(run.stat("queued-ms"), >, 1850);
  g_assert_cmpuint(run.stat("queued-ms"), <, 2150);
  g_unlink(path.c_str());
}

// Half a second of sound.
constexpr int frames = 24;

void push_frames (GstAppSrc *source) {
  for (int i = 0; i < frames; i++) {
    BufferPtr frame = agora::silent_frame(agora::AacFormat());
    g_assert_cmpint(gst_app_src_push_buffer(source, frame.release()), ==, GST_FLOW_OK);
  }
}

// An application's frames, as appsrc has them by default: in bytes, without a time. They last as
// long as they last.
void test_bytes () {
  Script script;
  set_script(&script);
  Run run("appsrc name=source" + sink("max-backlog=60000"));
  const ObjectPtr<GstElement> source = run.get("source");
  gst_app_src_set_caps(GST_APP_SRC(source.get()), framed_caps().get());
  const gint64 begin = g_get_monotonic_time();
  run.play();
  push_frames(GST_APP_SRC(source.get()));
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  run.await_eos();
  g_assert_cmpint(g_get_monotonic_time() - begin, >, 480'000);
  g_assert_cmpuint(run.stat("queued-ms"), >, 380);
  g_assert_cmpint(position_ms(run), >, 480);
}

// Times that no clock ever has: such a frame follows the one before it.
void test_times_without_end () {
  Script script;
  set_script(&script);
  Run run("appsrc name=source format=time" + sink("sync=false max-backlog=60000"));
  const ObjectPtr<GstElement> source = run.get("source");
  gst_app_src_set_caps(GST_APP_SRC(source.get()), framed_caps().get());
  run.play();
  const GstClockTime times[] = {0,
                                G_MAXUINT64 - 1,
                                G_MAXUINT64 - 10 * GST_MSECOND,
                                G_MAXINT64,
                                static_cast<GstClockTime>(G_MAXINT64) + 1,
                                G_MAXINT64 - 10 * GST_MSECOND,
                                G_MAXINT64 / 2,
                                GST_SECOND};
  for (const GstClockTime time : times) {
    BufferPtr frame = agora::silent_frame(agora::AacFormat());
    GST_BUFFER_PTS(frame.get()) = time;
    GST_BUFFER_DURATION(frame.get()) = 20 * GST_MSECOND;
    g_assert_cmpint(gst_app_src_push_buffer(GST_APP_SRC(source.get()), frame.release()), ==,
                    GST_FLOW_OK);
  }
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  run.await_eos();
  g_assert_cmpuint(run.stat("queued-ms"), >, 100);
}

// The first timestamp says when the sound begins. Where that is far ahead, somebody is told.
void test_begins_late () {
  for (const auto &[seconds, words] : {std::pair(3 * 3600, "begins in 10"), std::pair(2, "")}) {
    for (const GstState state : {GST_STATE_PAUSED, GST_STATE_PLAYING}) {
      Script script;
      set_script(&script);
      Run run("appsrc name=source format=time" + sink());
      const ObjectPtr<GstElement> source = run.get("source");
      gst_app_src_set_caps(GST_APP_SRC(source.get()), framed_caps().get());
      run.set_state(state);
      for (int i = 0; i < 3; i++) {
        BufferPtr frame = agora::silent_frame(agora::AacFormat());
        GST_BUFFER_PTS(frame.get()) = seconds * GST_SECOND + i * (20 * GST_MSECOND);
        GST_BUFFER_DURATION(frame.get()) = 20 * GST_MSECOND;
        gst_app_src_push_buffer(GST_APP_SRC(source.get()), frame.release());
      }
      run.settle();
      if (*words) {
        g_autoptr(GstMessage) message = run.await(GST_MESSAGE_WARNING);
        g_autoptr(GError) warning = nullptr;
        gst_message_parse_warning(message, &warning, nullptr);
        g_assert_nonnull(strstr(warning->message, words));
        g_assert_nonnull(strstr(warning->message, "10800.0 s"));
      }
      run.play();
      gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
      if (*words) {
        g_assert_cmpuint(run.stat("queued-ms"), ==, 0);
        continue;
      }
      g_autoptr(GstMessage) next =
          run.await(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_WARNING));
      g_assert_cmpint(GST_MESSAGE_TYPE(next), ==, GST_MESSAGE_EOS);
    }
  }
}

// The frames of a whole list, and nothing has told yet what they are.
void test_list () {
  GstBufferList *list = gst_buffer_list_new();
  {
    Run encoder(
        "audiotestsrc num-buffers=24 ! audio/x-raw,rate=48000 ! voaacenc ! "
        "audio/mpeg,stream-format=adts ! appsink name=out sync=false");
    encoder.play();
    const ObjectPtr<GstElement> out = encoder.get("out");
    while (GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(out.get()))) {
      gst_buffer_list_add(list, gst_buffer_ref(gst_sample_get_buffer(sample)));
      gst_sample_unref(sample);
    }
  }
  g_assert_cmpuint(gst_buffer_list_length(list), >, 20);
  Script script;
  set_script(&script);
  Run run("appsrc name=source" + sink("max-backlog=60000"));
  const ObjectPtr<GstElement> source = run.get("source");
  run.play();
  gst_app_src_push_buffer_list(GST_APP_SRC(source.get()), list);
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  run.await_eos();
  g_assert_cmpuint(run.stat("queued-ms"), >, 300);
}

// One file after another, without a gap: the second follows the first.
void test_gapless () {
  Script script;
  set_script(&script);
  Run run("concat name=both" + sink("max-backlog=60000") +
          " audiotestsrc num-buffers=50 samplesperbuffer=480 ! audio/x-raw,rate=48000 ! both. "
          "audiotestsrc num-buffers=50 samplesperbuffer=480 ! audio/x-raw,rate=48000 ! both.");
  const gint64 begin = g_get_monotonic_time();
  run.play();
  run.await_eos();
  g_assert_cmpint(g_get_monotonic_time() - begin, >, 950'000);
  g_assert_cmpuint(run.stat("queued-ms"), >, 850);
  g_assert_cmpuint(run.stat("queued-ms"), <, 1100);
}

}  // namespace

static const agora::Suite suite("seek", [] {
  g_test_add_func("/sink/seek/flush", test_flush);
  g_test_add_func("/sink/seek/flush-heard", test_flush_heard);
  g_test_add_func("/sink/seek/rate", test_rate);
  g_test_add_func("/sink/seek/rate-without-flush", test_rate_without_flush);
  g_test_add_func("/sink/seek/instant-rate", test_instant_rate);
  g_test_add_func("/sink/seek/step", test_step);
  g_test_add_func("/sink/seek/segment-loop", test_segment_loop);
  g_test_add_func("/sink/stream/bytes", test_bytes);
  g_test_add_func("/sink/stream/begins-late", test_begins_late);
  g_test_add_func("/sink/stream/times-without-end", test_times_without_end);
  g_test_add_func("/sink/stream/list", test_list);
  g_test_add_func("/sink/stream/gapless", test_gapless);
});

}  // namespace sink_seek_test
