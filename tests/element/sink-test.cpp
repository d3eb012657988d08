// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink between a pipeline and a real media server; the channel is a fake.
#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gst/gst-ptr.hpp"
#include "gst/gstagorasink.h"
#include "tests/element/sink-fake-session.hpp"
#include "tests/element/sink-media-server.hpp"

namespace {

using agora::BufferPtr;
using agora::ObjectPtr;
using agora::test::MediaServer;
using agora::test::MutePeer;
using agora::test::Script;

constexpr GstClockTime patience = 15 * GST_SECOND;
constexpr gint64 state_limit_us = 500'000;

MediaServer *server;

// A pipeline with agorasink as `sink`, and what came of it.
class Run {
 public:
  explicit Run(const std::string &launch) {
    g_autoptr(GError) error = nullptr;
    pipeline_ = gst_parse_launch(launch.c_str(), &error);
    g_assert_no_error(error);
    bus_ = gst_element_get_bus(pipeline_);
  }
  ~Run() {
    stop();
    gst_object_unref(bus_);
    // Work that the element left to other threads may hold it a moment longer, but not for good.
    std::mutex mutex;
    std::condition_variable gone;
    bool finalized = false;
    struct Watch {
      std::mutex &mutex;
      std::condition_variable &gone;
      bool &finalized;
    } watch{mutex, gone, finalized};
    g_object_weak_ref(
        G_OBJECT(pipeline_),
        [] (gpointer data, GObject *) {
          auto *seen = static_cast<Watch *>(data);
          std::lock_guard lock(seen->mutex);
          seen->finalized = true;
          seen->gone.notify_all();
        },
        &watch);
    gst_object_unref(pipeline_);
    std::unique_lock lock(mutex);
    g_assert_true(gone.wait_for(lock, std::chrono::seconds(2), [&] { return finalized; }));
  }

  void play () { set_state(GST_STATE_PLAYING); }
  void stop () { set_state(GST_STATE_NULL); }
  void set_state (GstState state) {
    const gint64 before = g_get_monotonic_time();
    gst_element_set_state(pipeline_, state);
    g_assert_cmpint(g_get_monotonic_time() - before, <, state_limit_us);
  }
  ObjectPtr<GstElement> get (const char *name) const {
    return ObjectPtr<GstElement>(gst_bin_get_by_name(GST_BIN(pipeline_), name));
  }
  // The next message of these types, failing on an ERROR that isn't asked for.
  GstMessage *await (GstMessageType types, GstClockTime limit = patience) {
    GstMessage *message = gst_bus_timed_pop_filtered(
        bus_, limit, static_cast<GstMessageType>(types | GST_MESSAGE_ERROR));
    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && !(types & GST_MESSAGE_ERROR)) {
      g_autoptr(GError) error = nullptr;
      g_autofree char *debug = nullptr;
      gst_message_parse_error(message, &error, &debug);
      g_error("%s (%s)", error->message, debug);
    }
    return message;
  }
  // The text of the first ERROR.
  std::string await_error () {
    g_autoptr(GstMessage) message = await(GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_autoptr(GError) error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    return error->message;
  }
  void await_element_message (const char *name) {
    for (;;) {
      g_autoptr(GstMessage) message = await(GST_MESSAGE_ELEMENT);
      g_assert_nonnull(message);
      if (gst_message_has_name(message, name))
        return;
    }
  }
  void await_eos () {
    g_autoptr(GstMessage) message = await(GST_MESSAGE_EOS);
    g_assert_nonnull(message);
  }
  guint64 stat (const char *name) const {
    const ObjectPtr<GstElement> sink = get("sink");
    GstStructure *stats = nullptr;
    g_object_get(sink.get(), "stats", &stats, nullptr);
    guint64 value = 0;
    g_assert_true(
        gst_structure_get(stats, name, gst_structure_get_field_type(stats, name), &value, nullptr));
    gst_structure_free(stats);
    return value;
  }

 private:
  GstElement *pipeline_;
  GstBus *bus_;
};

// Hears a stream as mono sound.
class Ear {
 public:
  explicit Ear(const std::string &url)
      : run_("rtmp2src location=" + url +
             " ! flvdemux ! aacparse name=parse ! avdec_aac ! audioconvert ! "
             "audio/x-raw,format=S16LE,channels=1 ! appsink name=ear sync=false") {
    run_.play();
  }
  // Waits for that much sound louder than -40 dB (or quieter, when `loud` is false).
  void hear (GstClockTime duration, bool loud = true) {
    const ObjectPtr<GstElement> ear = run_.get("ear");
    GstClockTime heard = 0;
    const gint64 deadline = g_get_monotonic_time() + patience / GST_USECOND;
    while (heard < duration) {
      g_assert_cmpint(g_get_monotonic_time(), <, deadline);
      g_autoptr(GstSample) sample =
          gst_app_sink_try_pull_sample(GST_APP_SINK(ear.get()), GST_SECOND);
      if (!sample)
        continue;
      GstBuffer *buffer = gst_sample_get_buffer(sample);
      if (is_loud(buffer) == loud)
        heard += GST_BUFFER_DURATION(buffer);
      last_ = GST_BUFFER_PTS(buffer);
    }
  }
  // The media time of what was last heard.
  GstClockTime last () const { return last_; }

 private:
  static bool is_loud (GstBuffer *buffer) {
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    const auto *samples = reinterpret_cast<const gint16 *>(map.data);
    const gsize n = map.size / sizeof(gint16);
    double sum = 0;
    for (gsize i = 0; i < n; i++)
      sum += static_cast<double>(samples[i]) * samples[i];
    gst_buffer_unmap(buffer, &map);
    return n > 0 && std::sqrt(sum / static_cast<double>(n)) > 328;
  }

  Run run_;
  GstClockTime last_ = 0;
};

std::string sink (const char *more = "") {
  return std::string(" ! agorasink name=sink app-id=demo channel=room ") + more;
}

constexpr const char *tone = "audiotestsrc is-live=true samplesperbuffer=480 ";

bool have_server () {
  if (server->ok())
    return true;
  g_test_skip("nginx with its rtmp module is not installed");
  return false;
}

struct Input {
  const char *name;
  const char *launch;
};

const Input inputs[] = {
    {"raw-48k-mono",
     "audiotestsrc is-live=true samplesperbuffer=480 ! audio/x-raw,rate=48000,channels=1"},
    {"raw-44k-5.1",
     "audiotestsrc is-live=true ! audio/x-raw,rate=44100,channels=6,channel-mask=(bitmask)0x3f"},
    {"raw-96k-f64-planar",
     "audiotestsrc is-live=true ! audioconvert ! "
     "audio/x-raw,format=F64LE,rate=96000,channels=2,layout=non-interleaved"},
    {"raw-8k", "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1"},
    {"aac-raw", "audiotestsrc is-live=true ! voaacenc ! audio/mpeg,stream-format=raw"},
    {"aac-adts", "audiotestsrc is-live=true ! voaacenc ! audio/mpeg,stream-format=adts"},
    {"opus", "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=1 ! opusenc"},
    {"flv", "audiotestsrc is-live=true ! voaacenc ! flvmux streamable=true"},
};

void test_input (gconstpointer data) {
  if (!have_server())
    return;
  const auto *input = static_cast<const Input *>(data);
  Script script;
  script.url = server->url(input->name);
  agora::test::set_script(&script);
  Run run(input->launch + sink());
  run.play();
  Ear ear(script.url);
  ear.hear(GST_SECOND);
  run.stop();
  g_assert_true(script.left);
}

void test_eos () {
  if (!have_server())
    return;
  Script script;
  script.url = server->url("eos");
  agora::test::set_script(&script);
  Ear ear(script.url);
  Run run("audiotestsrc num-buffers=100 samplesperbuffer=480 ! audio/x-raw,rate=48000" + sink());
  run.play();
  run.await_eos();
  g_assert_true(script.unpublished);
  ear.hear(800 * GST_MSECOND);
}

// A file that a pipeline of the test's own made.
std::string make_file (const char *name, const std::string &launch) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, nullptr);
  Run run(launch + " ! filesink location=" + path);
  run.play();
  run.await_eos();
  return path;
}

void test_file (const char *name, const std::string &launch) {
  if (!have_server())
    return;
  const std::string path = make_file(name, launch);
  Script script;
  script.url = server->url(name);
  agora::test::set_script(&script);
  Ear ear(script.url);
  const gint64 before = g_get_monotonic_time();
  Run run("filesrc blocksize=333 location=" + path + sink());
  run.play();
  run.await_eos();
  // Two seconds of sound take two seconds.
  g_assert_cmpint(g_get_monotonic_time() - before, >, 1'800'000);
  ear.hear(1700 * GST_MSECOND);
  g_unlink(path.c_str());
}

void test_file_aac () {
  test_file("agora-sink-test.aac",
            "audiotestsrc num-buffers=94 ! audio/x-raw,rate=48000 ! voaacenc "
            "! audio/mpeg,stream-format=adts");
}

void test_file_flv () {
  test_file("agora-sink-test.flv",
            "audiotestsrc num-buffers=94 ! audio/x-raw,rate=48000 ! voaacenc ! flvmux");
}

void test_file_flv_with_video () {
  ObjectPtr<GstElementFactory> encoder(gst_element_factory_find("avenc_flv"));
  if (!encoder) {
    g_test_skip("avenc_flv is not installed");
    return;
  }
  test_file("agora-sink-test-video.flv",
            "videotestsrc num-buffers=60 ! video/x-raw,width=64,height=64 ! avenc_flv ! flvmux "
            "name=mux audiotestsrc num-buffers=94 ! audio/x-raw,rate=48000 ! voaacenc ! mux. mux.");
}

// One source after another at the same pad, each of another kind of sound.
void test_change (gconstpointer data) {
  if (!have_server())
    return;
  const auto *to = static_cast<const Input *>(data);
  Script script;
  script.url = server->url((std::string("change-") + to->name).c_str());
  agora::test::set_script(&script);
  Run run(std::string("concat name=both") + sink() +
          " audiotestsrc num-buffers=100 samplesperbuffer=480 ! "
          "audio/x-raw,rate=48000,channels=1 ! both. " +
          to->launch + " ! both.");
  run.play();
  Ear ear(script.url);
  ear.hear(3 * GST_SECOND);
  g_assert_cmpuint(ear.last(), >, 2500 * GST_MSECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

const Input changes[] = {
    {"stereo-44k", "audiotestsrc samplesperbuffer=441 ! audio/x-raw,rate=44100,channels=2"},
    {"aac", "audiotestsrc ! voaacenc ! audio/mpeg,stream-format=adts"},
    {"opus", "audiotestsrc ! audio/x-raw,rate=48000 ! opusenc"},
    {"flv", "audiotestsrc ! voaacenc ! flvmux streamable=true"},
};

void test_bad_caps () {
  Script script;
  agora::test::set_script(&script);
  // The link is made while the caps are open; what comes then is no sound.
  Run run("appsrc name=source format=time" + sink());
  const ObjectPtr<GstElement> source = run.get("source");
  run.play();
  agora::CapsPtr caps(gst_caps_from_string("image/png, width=3"));
  g_object_set(source.get(), "caps", caps.get(), nullptr);
  GstFlowReturn flow;
  g_autoptr(GstBuffer) buffer = gst_buffer_new_allocate(nullptr, 16, nullptr);
  g_signal_emit_by_name(source.get(), "push-buffer", buffer, &flow);
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "image/png"));
  g_assert_nonnull(strstr(text.c_str(), "Expected raw audio"));
}

void test_bad_bytes () {
  Script script;
  agora::test::set_script(&script);
  const std::string path = make_file("agora-sink-test.wav", "audiotestsrc num-buffers=10 ! wavenc");
  Run run("filesrc location=" + path + sink());
  run.play();
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "audio/x-wav"));
  g_unlink(path.c_str());
}

// Hides the encoders that are installed.
void test_no_encoder () {
  Script script;
  agora::test::set_script(&script);
  GstRegistry *registry = gst_registry_get();
  std::vector<GstPluginFeature *> hidden;
  for (const char *name : {"fdkaacenc", "voaacenc", "avenc_aac", "faac"}) {
    GstPluginFeature *feature = gst_registry_lookup_feature(registry, name);
    if (!feature)
      continue;
    hidden.push_back(feature);
    gst_registry_remove_feature(registry, feature);
  }
  Run run(tone + sink());
  run.play();
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "gstreamer1.0-plugins-bad"));
  for (GstPluginFeature *feature : hidden) {
    gst_registry_add_feature(registry, feature);
    gst_object_unref(feature);
  }
}

void test_uri () {
  g_autoptr(GError) error = nullptr;
  ObjectPtr<GstElement> element = agora::sink_ref(gst_element_make_from_uri(
      GST_URI_SINK, "agora://127.0.0.1:9/demo/my%20room?uid=5", "sink", &error));
  g_assert_no_error(error);
  g_autofree char *channel = nullptr;
  guint uid = 0;
  g_object_get(element.get(), "channel", &channel, "uid", &uid, nullptr);
  g_assert_cmpstr(channel, ==, "my room");
  g_assert_cmpuint(uid, ==, 5);
  g_assert_false(gst_uri_handler_set_uri(GST_URI_HANDLER(element.get()), "agora://host", &error));
  g_assert_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI);
}

void test_refused () {
  {
    Script script;
    script.refuse_at_once = "channel “” is not allowed";
    agora::test::set_script(&script);
    Run run(tone + sink());
    run.play();
    g_assert_true(run.await_error() == script.refuse_at_once);
  }
  Script script;
  script.refuse_later = "unknown app id";
  agora::test::set_script(&script);
  Run run(tone + sink());
  run.play();
  g_assert_true(run.await_error() == script.refuse_later);
}

// Upstream flows on, the oldest sound is dropped, and nothing hangs.
void test_mute_peer () {
  MutePeer peer;
  Script script;
  script.url = peer.url();
  agora::test::set_script(&script);
  Run run("audiotestsrc is-live=true samplesperbuffer=480 num-buffers=300 ! identity name=count" +
          sink("max-backlog=500"));
  const gint64 before = g_get_monotonic_time();
  run.play();
  run.await_eos();
  const gint64 took = g_get_monotonic_time() - before;
  // 300 buffers of 480 samples at 44.1 kHz, and 500 ms for what can't be sent.
  g_assert_cmpint(took, <, 3'266'000 + 1'000'000);
  g_assert_cmpuint(run.stat("dropped-ms"), >, 2000);
  g_assert_cmpuint(run.stat("queued-ms"), <=, 520);
}

void test_stop_anytime () {
  MutePeer peer;
  Script script;
  script.url = peer.url();
  agora::test::set_script(&script);
  for (const GstState state : {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING}) {
    Run run(tone + sink());
    run.set_state(state);
    run.stop();
  }
  for (const GstClockTime moment : {1, 20, 100, 1500}) {
    Run run(tone + sink());
    run.play();
    g_autoptr(GstMessage) none = run.await(GST_MESSAGE_EOS, moment * GST_MSECOND);
    g_assert_null(none);
    run.stop();
    g_assert_true(script.left);
    // And once more with the same element.
    script.left = false;
    run.play();
    run.stop();
    g_assert_true(script.left);
  }
}

void test_reconnect () {
  if (!have_server())
    return;
  Script script;
  // Nothing listens there.
  script.url = "rtmp://127.0.0.1:9/live/nobody";
  script.next_url = server->url("reconnect");
  agora::test::set_script(&script);
  Ear ear(script.next_url);
  Run run(tone + sink());
  run.play();
  run.await_element_message("agora-reconnecting");
  run.await_element_message("agora-reconnected");
  ear.hear(GST_SECOND);
  g_assert_cmpint(script.broke, ==, 1);
}

void test_server_dies () {
  auto first = std::make_unique<MediaServer>();
  if (!have_server())
    return;
  Script script;
  script.url = first->url("first");
  script.next_url = server->url("second");
  agora::test::set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear before(script.url);
  before.hear(500 * GST_MSECOND);
  Ear after(script.next_url);
  first.reset();
  run.await_element_message("agora-reconnecting");
  run.await_element_message("agora-reconnected");
  after.hear(GST_SECOND);
  // The timeline went on.
  g_assert_cmpuint(after.last(), >, before.last());
}

void test_make_before_break () {
  if (!have_server())
    return;
  Script script;
  script.url = server->url("old");
  agora::test::set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear old(script.url);
  old.hear(500 * GST_MSECOND);
  Ear young(server->url("young"));
  agora::test::give_url(server->url("young"));
  young.hear(GST_SECOND);
  g_assert_cmpint(script.broke, ==, 0);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
  g_assert_cmpuint(run.stat("reconnects"), ==, 0);
  // A new one that doesn't come up changes nothing.
  MutePeer peer;
  agora::test::give_url(peer.url());
  young.hear(7 * GST_SECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

void test_muted () {
  if (!have_server())
    return;
  Script script;
  script.url = server->url("muted");
  agora::test::set_script(&script);
  Run run(tone + sink());
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND);
  const ObjectPtr<GstElement> element = run.get("sink");
  g_object_set(element.get(), "muted", TRUE, nullptr);
  ear.hear(500 * GST_MSECOND, false);
  g_assert_cmpint(script.muted, ==, 1);
  g_object_set(element.get(), "muted", FALSE, nullptr);
  ear.hear(500 * GST_MSECOND);
  g_assert_cmpint(script.muted, ==, 0);
}

void test_gap_silence () {
  if (!have_server())
    return;
  Script script;
  script.url = server->url("gap-silence");
  agora::test::set_script(&script);
  Run run(std::string(tone) + " ! valve name=valve drop-mode=drop-all" + sink("gap-timeout=200"));
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND);
  const ObjectPtr<GstElement> valve = run.get("valve");
  g_object_set(valve.get(), "drop", TRUE, nullptr);
  ear.hear(GST_SECOND, false);
  g_object_set(valve.get(), "drop", FALSE, nullptr);
  ear.hear(500 * GST_MSECOND);
  g_assert_cmpuint(run.stat("filled-ms"), >=, 900);
  g_assert_cmpuint(run.stat("dropped-ms"), <, 60);
}

void test_gap_end () {
  if (!have_server())
    return;
  Script script;
  script.url = server->url("gap-end");
  agora::test::set_script(&script);
  Run run(std::string(tone) + " ! valve name=valve drop-mode=drop-all" +
          sink("on-gap=end gap-timeout=200"));
  run.play();
  Ear ear(script.url);
  ear.hear(300 * GST_MSECOND);
  const ObjectPtr<GstElement> valve = run.get("valve");
  g_object_set(valve.get(), "drop", TRUE, nullptr);
  run.await_eos();
  g_assert_true(script.unpublished);
}

void test_gap_file () {
  if (!have_server())
    return;
  const std::string path = make_file(
      "agora-sink-gap.wav", "audiotestsrc num-buffers=40 ! audio/x-raw,rate=16000 ! wavenc");
  Script script;
  script.url = server->url("gap-file");
  agora::test::set_script(&script);
  Run run(
      "audiotestsrc wave=silence is-live=true samplesperbuffer=480 ! valve name=valve "
      "drop-mode=drop-all" +
      sink("on-gap=file gap-timeout=300 gap-location=") + path);
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND, false);
  const ObjectPtr<GstElement> valve = run.get("valve");
  g_object_set(valve.get(), "drop", TRUE, nullptr);
  // More than the file is long.
  ear.hear(4 * GST_SECOND);
  g_object_set(valve.get(), "drop", FALSE, nullptr);
  ear.hear(500 * GST_MSECOND, false);
  g_unlink(path.c_str());
}

void test_gap_no_file () {
  Script script;
  agora::test::set_script(&script);
  Run run(tone + sink("on-gap=file gap-location=/nowhere/jingle.wav"));
  run.play();
  const std::string text = run.await_error();
  g_assert_nonnull(strstr(text.c_str(), "/nowhere/jingle.wav"));
}

void test_pause () {
  if (!have_server())
    return;
  Script script;
  script.url = server->url("pause");
  agora::test::set_script(&script);
  Run run("audiotestsrc samplesperbuffer=480" + sink("gap-timeout=200"));
  run.play();
  Ear ear(script.url);
  ear.hear(500 * GST_MSECOND);
  run.set_state(GST_STATE_PAUSED);
  ear.hear(GST_SECOND, false);
  const GstClockTime paused = ear.last();
  run.play();
  ear.hear(500 * GST_MSECOND);
  g_assert_cmpuint(ear.last(), <, paused + 2 * GST_SECOND);
  g_assert_cmpuint(run.stat("dropped-ms"), ==, 0);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  GST_ELEMENT_REGISTER(agorasink, nullptr);
  MediaServer own_server;
  server = &own_server;
  for (const Input &input : inputs)
    g_test_add_data_func((std::string("/sink/input/") + input.name).c_str(), &input, test_input);
  for (const Input &input : changes)
    g_test_add_data_func((std::string("/sink/change/") + input.name).c_str(), &input, test_change);
  g_test_add_func("/sink/eos", test_eos);
  g_test_add_func("/sink/file/aac", test_file_aac);
  g_test_add_func("/sink/file/flv", test_file_flv);
  g_test_add_func("/sink/file/flv-with-video", test_file_flv_with_video);
  g_test_add_func("/sink/bad/caps", test_bad_caps);
  g_test_add_func("/sink/bad/bytes", test_bad_bytes);
  g_test_add_func("/sink/bad/no-encoder", test_no_encoder);
  g_test_add_func("/sink/uri", test_uri);
  g_test_add_func("/sink/refused", test_refused);
  g_test_add_func("/sink/mute-peer", test_mute_peer);
  g_test_add_func("/sink/stop-anytime", test_stop_anytime);
  g_test_add_func("/sink/reconnect", test_reconnect);
  g_test_add_func("/sink/server-dies", test_server_dies);
  g_test_add_func("/sink/make-before-break", test_make_before_break);
  g_test_add_func("/sink/muted", test_muted);
  g_test_add_func("/sink/gap/silence", test_gap_silence);
  g_test_add_func("/sink/gap/end", test_gap_end);
  g_test_add_func("/sink/gap/file", test_gap_file);
  g_test_add_func("/sink/gap/no-file", test_gap_no_file);
  g_test_add_func("/sink/pause", test_pause);
  return g_test_run();
}
