// SPDX-License-Identifier: LGPL-2.1-or-later
// agorasink between a pipeline and a real media server; the channel is a fake.
#include <gst/app/gstappsink.h>

#include <chrono>
#include <cmath>

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
    g_assert_cmpint(GST_OBJECT_REFCOUNT_VALUE(pipeline_), ==, 1);
    gst_object_unref(pipeline_);
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
    g_assert_true(gst_structure_get_uint64(stats, name, &value));
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

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  GST_ELEMENT_REGISTER(agorasink, nullptr);
  MediaServer own_server;
  server = &own_server;
  for (const Input &input : inputs)
    g_test_add_data_func((std::string("/sink/input/") + input.name).c_str(), &input, test_input);
  g_test_add_func("/sink/eos", test_eos);
  return g_test_run();
}
