// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's lanes: the same sound in two codecs keeps to the same time, in all that a sink keeps.
#include <glib/gstdio.h>
#include <gst/app/gstappsrc.h>

#include <atomic>
#include <string>

#include "gst/sink/silence.hpp"
#include "tests/element/sink/inside.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_lanes_test {

namespace {

using namespace agora::test;
using agora::BufferPtr;
using agora::CapsPtr;
using agora::ObjectPtr;
using agora::VoiceCodec;

// Nobody takes what is sent, and of each codec all but the last frame is dropped: so what is
// dropped is the sum of both.
constexpr const char *counted = "codec=auto max-backlog=0 gap-timeout=60000 ";

std::string wav_file (const char *name, int seconds) {
  return make_file(name, "audiotestsrc samplesperbuffer=480 num-buffers=" +
                             std::to_string(seconds * 100) + " ! audio/x-raw,rate=48000 ! wavenc");
}

// What the muxers still had when the last frame came is dropped once it is too old.
guint64 settled_drops (const Run &run) {
  for (;;) {
    const guint64 before = run.stat("dropped-ms");
    let_pass(GST_SECOND);
    if (run.stat("dropped-ms") == before)
      return before;
  }
}

// How much sound is sent in both codecs together, of what one alone would be.
double measure (const Run &run, GstClockTime time) {
  const gint64 begin = g_get_monotonic_time();
  const auto before = static_cast<double>(run.stat("dropped-ms"));
  let_pass(time);
  const double sent = static_cast<double>(run.stat("dropped-ms")) - before;
  const double passed = milliseconds_since(begin);
  g_test_message("%.0f ms of sound in %.0f ms", sent, passed);
  return sent / passed;
}

// From here on both codecs are sent.
void want_both (const Run &run) {
  want_codecs({VoiceCodec::aac, VoiceCodec::opus});
  // What of them has come already needs none.
  const gint64 deadline = g_get_monotonic_time() + patience / GST_USECOND;
  while (!has_inside(run, "opusenc") && !has_inside(run, "opusdec")) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    let_pass(2 * GST_MSECOND);
  }
  // It may hold up what plays, which is made up for then.
  for (double both = 0; both < 1.5 || both > 2.4; both = measure(run, 300 * GST_MSECOND))
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

bool seek (const Run &run, double rate, int flags, GstClockTime start, GstClockTime stop) {
  const bool ends = GST_CLOCK_TIME_IS_VALID(stop);
  return gst_element_seek(run.pipeline(), rate, GST_FORMAT_TIME, static_cast<GstSeekFlags>(flags),
                          GST_SEEK_TYPE_SET, static_cast<gint64>(start),
                          ends ? GST_SEEK_TYPE_SET : GST_SEEK_TYPE_NONE,
                          ends ? static_cast<gint64>(stop) : -1);
}

// Twice as fast, half of it is left out, in either codec; half as fast, there is half of it. And
// backwards.
void test_rate () {
  Script script;
  set_script(&script);
  Run run("audiotestsrc samplesperbuffer=480 ! audio/x-raw,rate=48000" + sink(counted));
  run.play();
  run.settle();
  want_both(run);
  for (const double rate : {1.0, 2.0, 0.5, -2.0}) {
    g_assert_true(
        seek(run, rate, GST_SEEK_FLAG_FLUSH, 0, rate < 0 ? 50 * GST_SECOND : GST_CLOCK_TIME_NONE));
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    const double both = measure(run, 2 * GST_SECOND) / (rate == 0.5 ? 0.5 : 1);
    g_assert_cmpfloat(both, >, 1.8 / static_cast<double>(time_scale()));
    g_assert_cmpfloat(both, <, 2.2);
  }
}

// Timestamps that jump ahead of live sound are taken for wrong in both codecs alike.
void test_far_frames () {
  Script script;
  set_script(&script);
  std::atomic<GstClockTime> ahead = 0;
  Run run(std::string(tone) + "name=tone ! audio/x-raw,rate=48000" + sink(counted));
  const ObjectPtr<GstElement> source = run.get("tone");
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(source.get(), "src"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [] (GstPad *, GstPadProbeInfo *info, gpointer by) noexcept {
        GstBuffer *sound = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
        GST_BUFFER_PTS(sound) += *static_cast<std::atomic<GstClockTime> *>(by);
        GST_PAD_PROBE_INFO_DATA(info) = sound;
        return GST_PAD_PROBE_OK;
      },
      &ahead, nullptr);
  run.play();
  want_both(run);
  ahead = 30 * GST_SECOND;
  g_autoptr(GstMessage) told = run.await(GST_MESSAGE_WARNING);
  g_assert_nonnull(told);
  g_autoptr(GError) warning = nullptr;
  gst_message_parse_warning(told, &warning, nullptr);
  g_assert_nonnull(strstr(warning->message, "jumped ahead by 30"));
  const double both = measure(run, 2 * GST_SECOND);
  g_assert_cmpfloat(both, >, 1.7 / static_cast<double>(time_scale()));
  g_assert_cmpfloat(both, <, 2.4);
}

// PAUSED sends nothing, also where what is stepped over comes by.
void test_steps_paused () {
  const std::string path = wav_file("agora-lanes-steps.wav", 60);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink(counted));
  run.play();
  run.settle();
  want_both(run);
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  const guint64 before = settled_drops(run);
  for (int i = 0; i < 3; i++) {
    g_assert_true(gst_element_send_event(
        run.get("sink").get(),
        gst_event_new_step(GST_FORMAT_TIME, 2 * GST_SECOND, 1, TRUE, FALSE)));
    g_autoptr(GstMessage) done = run.await(GST_MESSAGE_STEP_DONE);
    g_assert_nonnull(done);
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  }
  g_assert_cmpuint(settled_drops(run), ==, before);
  run.play();
  const double both = measure(run, 2 * GST_SECOND);
  g_assert_cmpfloat(both, >, 1.7 / static_cast<double>(time_scale()));
  g_assert_cmpfloat(both, <, 2.2);
  g_unlink(path.c_str());
}

// All at once, where nothing is to be waited for, and still nothing in PAUSED.
void test_no_sync () {
  const std::string path = wav_file("agora-lanes-no-sync.wav", 4);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" + sink(counted) + "sync=false");
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  want_codecs({VoiceCodec::aac, VoiceCodec::opus});
  let_pass(300 * GST_MSECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
  run.play();
  run.await_eos();
  const guint64 both = run.stat("dropped-ms");
  g_test_message("%d ms of both", static_cast<int>(both));
  g_assert_cmpuint(both, >, 2 * 4000 - 400);
  g_assert_cmpuint(both, <, 2 * 4000 + 400);
  g_unlink(path.c_str());
}

struct Kind {
  const char *name;
  CapsPtr (*caps)();
  BufferPtr (*buffer)(GstCaps *caps);
};

const Kind kinds[] = {
    {"aac", framed_caps, [] (GstCaps *) { return agora::silent_frame(agora::AacFormat()); }},
    {"opus", agora::default_opus_caps,
     [] (GstCaps *caps) { return agora::silent_packet(caps, 20 * GST_MSECOND); }},
    {"raw", raw_caps, [] (GstCaps *) { return raw_silence(20 * GST_MSECOND); }},
};

// An application's sound, as appsrc has it by default: in bytes, without a time.
void test_bytes (gconstpointer data) {
  const auto *kind = static_cast<const Kind *>(data);
  Script script;
  set_script(&script);
  Run run("appsrc name=source max-bytes=0" + sink(counted));
  const ObjectPtr<GstElement> source = run.get("source");
  const CapsPtr caps = kind->caps();
  gst_app_src_set_caps(GST_APP_SRC(source.get()), caps.get());
  for (int i = 0; i < 1500; i++) {
    BufferPtr buffer = kind->buffer(caps.get());
    g_assert_nonnull(buffer.get());
    gst_app_src_push_buffer(GST_APP_SRC(source.get()), buffer.release());
  }
  run.play();
  run.settle();
  want_both(run);
  const double both = measure(run, 2 * GST_SECOND);
  g_assert_cmpfloat(both, >, 1.8 / static_cast<double>(time_scale()));
  g_assert_cmpfloat(both, <, 2.2);
}

// A lane that comes costs nothing of the other.
void test_come () {
  Script script;
  set_script(&script);
  Run run("audiotestsrc samplesperbuffer=480 ! audio/x-raw,rate=48000" + sink(counted));
  run.play();
  run.settle();
  const double alone = measure(run, GST_SECOND);
  g_assert_cmpfloat(alone, >, 0.8 / static_cast<double>(time_scale()));
  g_assert_cmpfloat(alone, <, 1.2);
  want_both(run);
  const double both = measure(run, GST_SECOND);
  g_assert_cmpfloat(both, >, 1.7 / static_cast<double>(time_scale()));
  g_assert_cmpfloat(both, <, 2.3);
}

// Frames that are AAC already, of a file that is played backwards: a demuxer gives them in groups.
void test_backwards_as_it_is () {
  const std::string path = make_file(
      "agora-lanes-back.mp4",
      "audiotestsrc samplesperbuffer=480 num-buffers=3000 ! audio/x-raw,rate=48000 ! voaacenc ! "
      "aacparse ! mp4mux");
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! qtdemux" + sink("max-backlog=60000"));
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  for (const double rate : {-1.0, -2.0}) {
    g_assert_true(seek(run, rate, GST_SEEK_FLAG_FLUSH, 0, 28 * GST_SECOND));
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    run.play();
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    const gint64 begin = g_get_monotonic_time();
    let_pass(4 * GST_SECOND);
    const auto sent = static_cast<double>(run.stat("queued-ms"));
    const double passed = milliseconds_since(begin);
    g_test_message("rate %.0f: %.0f ms of sound in %.0f ms", rate, sent, passed);
    // A group comes at once.
    g_assert_cmpfloat(sent, >, passed - 1000 * static_cast<double>(time_scale()));
    g_assert_cmpfloat(sent, <, passed + 1000);
    run.set_state(GST_STATE_PAUSED);
  }
  g_unlink(path.c_str());
}

}  // namespace

static const agora::Suite suite("lanes", [] {
  g_test_add_func("/sink/lanes/rate", test_rate);
  g_test_add_func("/sink/lanes/far-frames", test_far_frames);
  g_test_add_func("/sink/lanes/steps-paused", test_steps_paused);
  g_test_add_func("/sink/lanes/no-sync", test_no_sync);
  for (const Kind &kind : kinds)
    g_test_add_data_func((std::string("/sink/lanes/bytes-") + kind.name).c_str(), &kind,
                         test_bytes);
  g_test_add_func("/sink/lanes/come", test_come);
  g_test_add_func("/sink/lanes/backwards-as-it-is", test_backwards_as_it_is);
});

}  // namespace sink_lanes_test
