// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink's states, as those of any sink: preroll, PAUSED, PLAYING, the end; and what is set
// while it starts. There is no media server: what is sent stays in the queue, where it can be
// counted.
#include <glib/gstdio.h>

#include <string>

#include "gst/sink/publisher.hpp"
#include "tests/element/sink/rig.hpp"
#include "tests/suite.hpp"

namespace sink_state_test {

namespace {

using namespace agora::test;
using agora::ObjectPtr;

// Nothing but time can show that something doesn't come.
constexpr GstClockTime a_while = 300 * GST_MSECOND;

std::string wav_file (int seconds) {
  return make_file("agora-sink-state.wav", "audiotestsrc samplesperbuffer=480 num-buffers=" +
                                               std::to_string(seconds * 100) +
                                               " ! audio/x-raw,rate=48000 ! wavenc");
}

GstClockTime position (GstElement *element) {
  gint64 position = -1;
  g_assert_true(gst_element_query_position(element, GST_FORMAT_TIME, &position));
  return static_cast<GstClockTime>(position);
}

// A file is ready when its first frame is, and none is sent before PLAYING, without `sync` too.
void test_preroll () {
  const std::string path = wav_file(2);
  for (const char *sync : {"sync=true ", "sync=false "}) {
    Script script;
    set_script(&script);
    Run run("filesrc location=" + path + " ! wavparse" +
            sink((std::string(sync) + "max-backlog=60000 gap-timeout=100").c_str()));
    g_assert_cmpint(run.set_state(GST_STATE_PAUSED), ==, GST_STATE_CHANGE_ASYNC);
    g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
    let_pass(a_while);
    g_assert_cmpuint(run.stat("queued-ms"), ==, 0);
    g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
    g_assert_cmpuint(run.stat("filled-ms"), ==, 0);
    g_assert_cmpuint(position(run.get("sink").get()), ==, 0);
    run.play();
    run.await_stat("queued-ms", 1500);
    run.await_eos();
  }
  g_unlink(path.c_str());
}

// With another sink in one pipeline, each waits for the other.
void test_beside () {
  Script script;
  set_script(&script);
  Run run("audiotestsrc ! tee name=t ! queue ! fakesink name=other sync=true t. ! queue" +
          sink("max-backlog=60000"));
  g_assert_cmpint(run.set_state(GST_STATE_PAUSED), ==, GST_STATE_CHANGE_ASYNC);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  const ObjectPtr<GstElement> ours = run.get("sink");
  const ObjectPtr<GstElement> other = run.get("other");
  g_assert_cmpuint(position(ours.get()), ==, 0);
  run.play();
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  run.await_stat("queued-ms", 700);
  const auto apart = GST_CLOCK_DIFF(position(ours.get()), position(other.get()));
  g_assert_cmpint(ABS(apart), <, 100 * GST_MSECOND * time_scale());
}

void test_live () {
  Script script;
  set_script(&script);
  Run run(tone + sink("max-backlog=60000"));
  g_assert_cmpint(run.set_state(GST_STATE_PAUSED), ==, GST_STATE_CHANGE_NO_PREROLL);
  run.play();
  run.await_stat("queued-ms", 300);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  g_assert_cmpint(run.set_state(GST_STATE_PAUSED), ==, GST_STATE_CHANGE_NO_PREROLL);
  run.play();
  run.await_stat("queued-ms", 600);
}

// What fills in begins when PLAYING is asked for, also where no sound has ever come.
void test_gap_before_sound () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("gap-before-sound");
  set_script(&script);
  Run run(std::string(tone) + " ! valve name=valve drop=true" + sink("gap-timeout=200"));
  run.set_state(GST_STATE_PAUSED);
  let_pass(a_while);
  g_assert_cmpuint(run.stat("filled-ms"), ==, 0);
  run.play();
  run.await_stat("filled-ms", 300);
  g_object_set(run.get("valve").get(), "drop", FALSE, nullptr);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  let_pass(a_while);
  const guint64 filled = run.stat("filled-ms");
  let_pass(a_while);
  g_assert_cmpuint(run.stat("filled-ms"), ==, filled);
}

void test_async () {
  const std::string path = wav_file(2);
  Script script;
  set_script(&script);
  Run run("filesrc location=" + path + " ! wavparse" +
          sink("async=false sync=false max-backlog=60000"));
  g_assert_cmpint(run.set_state(GST_STATE_PAUSED), ==, GST_STATE_CHANGE_SUCCESS);
  let_pass(a_while);
  g_assert_cmpuint(run.stat("queued-ms"), ==, 0);
  run.play();
  run.await_stat("queued-ms", 1500);
  g_unlink(path.c_str());
}

struct Moment {
  const char *name;
  const char *launch;
  GstState state;
};

const Moment moments[] = {
    {"prerolled", "audiotestsrc", GST_STATE_PAUSED},
    {"before-any-sound", "audiotestsrc ! valve drop=true", GST_STATE_PAUSED},
    {"waiting-for-the-clock", "audiotestsrc timestamp-offset=60000000000", GST_STATE_PLAYING},
    {"waiting-to-end", "audiotestsrc timestamp-offset=60000000000 num-buffers=1",
     GST_STATE_PLAYING},
    {"playing", "audiotestsrc", GST_STATE_PLAYING},
};

// Whatever its streaming thread waits for, it is stopped in no time; the rig measures.
void test_stop (gconstpointer data) {
  const auto *moment = static_cast<const Moment *>(data);
  Script script;
  set_script(&script);
  Run run(moment->launch + sink());
  for (int i = 0; i < 3; i++) {
    run.set_state(moment->state);
    let_pass(a_while);
    run.set_state(i == 0 ? GST_STATE_READY : GST_STATE_NULL);
    g_assert_true(script.left);
    script.left = false;
  }
}

// A sink that has ended says so again after a pause.
void test_end_again () {
  Script script;
  set_script(&script);
  Run run("audiotestsrc num-buffers=10" + sink());
  run.play();
  run.await_eos();
  run.set_state(GST_STATE_PAUSED);
  run.play();
  run.await_eos();
}

// An EOS from the application ends the stream like one from upstream; whoever sends it waits for
// nothing, in PAUSED neither.
void test_end_by_application (gconstpointer state) {
  Script script;
  set_script(&script);
  Run run("audiotestsrc" + sink());
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  run.set_state(static_cast<GstState>(GPOINTER_TO_INT(state)));
  const ObjectPtr<GstElement> element = run.get("sink");
  const gint64 begin = g_get_monotonic_time();
  g_assert_true(gst_element_send_event(element.get(), gst_event_new_eos()));
  // Whoever waits in PAUSED waits for ever.
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC * time_scale());
  let_pass(a_while);
  run.play();
  run.await_eos();
  g_assert_true(script.unpublished);
}

// Sent, and stopped at once.
void test_end_and_stop () {
  Script script;
  set_script(&script);
  Run run("audiotestsrc" + sink());
  run.set_state(GST_STATE_PAUSED);
  g_assert_cmpint(run.settle(), ==, GST_STATE_CHANGE_SUCCESS);
  const ObjectPtr<GstElement> element = run.get("sink");
  g_assert_true(gst_element_send_event(element.get(), gst_event_new_eos()));
  run.stop();
  // The next start has nothing to do with it.
  run.play();
  run.await_stat("queued-ms", 500);
}

// Each stream's beginning is told, with an RTMP session beside it too.
void test_stream_start () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("stream-start");
  set_script(&script);
  Run run("concat name=both" + sink() +
          " audiotestsrc num-buffers=100 samplesperbuffer=480 ! audio/x-raw,rate=48000 ! both. "
          "audiotestsrc num-buffers=20 ! audio/x-raw,rate=48000 ! both.");
  Ear ear(script.url);
  run.play();
  for (int i = 0; i < 2; i++) {
    g_autoptr(GstMessage) message = run.await(GST_MESSAGE_STREAM_START);
    g_assert_nonnull(message);
    if (i == 0)
      ear.hear(300 * GST_MSECOND);
  }
}

// What is set between the start's first moment and its last isn't lost.
void test_set_while_starting () {
  Script script;
  script.while_joining = [] (GstElement *element) {
    g_object_set(element, "muted", TRUE, "max-backlog", 60'000, "token", "later", nullptr);
  };
  set_script(&script);
  Run run(tone + sink("token=sooner"));
  run.play();
  run.await_stat("queued-ms", 1300);
  const ObjectPtr<GstElement> element = run.get("sink");
  gboolean muted = FALSE;
  guint backlog = 0;
  g_object_get(element.get(), "muted", &muted, "max-backlog", &backlog, nullptr);
  g_assert_true(muted);
  g_assert_cmpuint(backlog, ==, 60'000);
  std::lock_guard lock(script.mutex);
  g_assert_cmpint(script.muted, ==, 1);
  g_assert_cmpstr(script.token.c_str(), ==, "later");
}

// The settings of a start are copied first: whom it is for, and in which codec, may be set before
// they come to count.
void test_changed_while_starting () {
  Script script;
  set_script(&script);
  const ObjectPtr<GstBin> bin = agora::sink_ref(GST_BIN(gst_bin_new(nullptr)));
  const ObjectPtr<GstPad> pad = agora::sink_ref(gst_ghost_pad_new_no_target("sink", GST_PAD_SINK));
  agora::Publisher publisher(bin.get(), pad.get());
  const agora::SinkSettings for_all_in_aac;
  publisher.set_talk_to({8});
  publisher.set_codec(agora::CodecChoice::opus);
  g_assert_true(publisher.start({}, for_all_in_aac));
  g_assert_true(publisher.talk_to() == agora::UidList{8});
  g_assert_true(publisher.offers().at(0) == agora::VoiceCodec::opus);
  publisher.stop();
  publisher.stopped();
}

// Muted while it starts: nobody hears the microphone.
void test_silent_from_the_start () {
  if (!have_server())
    return;
  Script script;
  script.url = server_url("silent");
  script.while_joining = [] (GstElement *element) {
    g_object_set(element, "muted", TRUE, nullptr);
  };
  set_script(&script);
  Ear ear(script.url);
  Run run(tone + sink());
  run.play();
  ear.hear(500 * GST_MSECOND, false);
  g_object_set(run.get("sink").get(), "muted", FALSE, nullptr);
  ear.hear(300 * GST_MSECOND);
}

// An element that is given up while it runs has left the channel, and none of its threads is left.
void test_dispose () {
  Script script;
  set_script(&script);
  ObjectPtr<GstElement> element = agora::sink_ref(gst_element_factory_make("agorasink", nullptr));
  gst_element_set_state(element.get(), GST_STATE_PAUSED);
  g_test_expect_message("GStreamer", G_LOG_LEVEL_CRITICAL, "*Trying to dispose element*");
  g_object_run_dispose(G_OBJECT(element.get()));
  g_test_assert_expected_messages();
  g_assert_true(script.left);
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

}  // namespace

static const agora::Suite suite("state", [] {
  g_test_add_func("/sink/state/preroll", test_preroll);
  g_test_add_func("/sink/state/beside", test_beside);
  g_test_add_func("/sink/state/live", test_live);
  g_test_add_func("/sink/state/gap-before-sound", test_gap_before_sound);
  g_test_add_func("/sink/state/async", test_async);
  for (const Moment &moment : moments)
    g_test_add_data_func((std::string("/sink/state/stop/") + moment.name).c_str(), &moment,
                         test_stop);
  g_test_add_func("/sink/state/end-again", test_end_again);
  g_test_add_data_func("/sink/state/end-by-application/paused",
                       GINT_TO_POINTER(static_cast<int>(GST_STATE_PAUSED)),
                       test_end_by_application);
  g_test_add_data_func("/sink/state/end-by-application/playing",
                       GINT_TO_POINTER(static_cast<int>(GST_STATE_PLAYING)),
                       test_end_by_application);
  g_test_add_func("/sink/state/end-and-stop", test_end_and_stop);
  g_test_add_func("/sink/state/stream-start", test_stream_start);
  g_test_add_func("/sink/state/set-while-starting", test_set_while_starting);
  g_test_add_func("/sink/state/changed-while-starting", test_changed_while_starting);
  g_test_add_func("/sink/state/silent-from-the-start", test_silent_from_the_start);
  g_test_add_func("/sink/state/dispose", test_dispose);
});

}  // namespace sink_state_test
