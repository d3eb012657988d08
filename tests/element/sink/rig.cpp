// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/element/sink/rig.hpp"

#include <gst/app/gstappsink.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "tests/suite.hpp"

namespace agora::test {

namespace {

std::unique_ptr<MediaServer> server;

bool is_loud (GstBuffer *buffer) {
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

}  // namespace

void let_pass (GstClockTime time) {
  g_autoptr(GMainContext) context = g_main_context_new();
  bool over = false;
  GSource *timer = g_timeout_source_new(static_cast<guint>(time / GST_MSECOND));
  g_source_set_callback(
      timer,
      [] (gpointer data) -> gboolean {
        *static_cast<bool *>(data) = true;
        return G_SOURCE_REMOVE;
      },
      &over, nullptr);
  g_source_attach(timer, context);
  g_source_unref(timer);
  while (!over)
    g_main_context_iteration(context, TRUE);
}

bool have_server () {
  if (!server)
    server = std::make_unique<MediaServer>();
  if (server->ok())
    return true;
  g_test_skip("nginx with its rtmp module is not installed");
  return false;
}

std::string server_url (const char *stream) {
  return server->url(stream);
}

unsigned server_port () {
  return server->port();
}

std::string sink (const char *more) {
  return std::string(" ! agorasink name=sink app-id=demo channel=room ") + more;
}

Run::Run(const std::string &launch) {
  g_autoptr(GError) error = nullptr;
  pipeline_ = gst_parse_launch(launch.c_str(), &error);
  g_assert_no_error(error);
  bus_ = gst_element_get_bus(pipeline_);
}

Run::~Run() {
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
  // Goes to another thread, by locks that ThreadSanitizer can't see.
  std::atomic<Watch *> handed = nullptr;
  handed.store(&watch, std::memory_order_release);
  g_object_weak_ref(
      G_OBJECT(pipeline_),
      [] (gpointer data, GObject *) {
        auto *seen = static_cast<std::atomic<Watch *> *>(data)->load(std::memory_order_acquire);
        std::lock_guard lock(seen->mutex);
        seen->finalized = true;
        seen->gone.notify_all();
      },
      &handed);
  gst_object_unref(pipeline_);
  std::unique_lock lock(mutex);
  g_assert_true(gone.wait_for(lock, std::chrono::seconds(2), [&] { return finalized; }));
}

GstStateChangeReturn Run::set_state(GstState state) {
  const gint64 before = g_get_monotonic_time();
  const GstStateChangeReturn result = gst_element_set_state(pipeline_, state);
  g_assert_cmpint(g_get_monotonic_time() - before, <, state_limit());
  return result;
}

GstStateChangeReturn Run::settle() {
  return gst_element_get_state(pipeline_, nullptr, nullptr, patience);
}

ObjectPtr<GstElement> Run::get(const char *name) const {
  return ObjectPtr<GstElement>(gst_bin_get_by_name(GST_BIN(pipeline_), name));
}

GstMessage *Run::await(GstMessageType types, GstClockTime limit) {
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

std::string Run::await_error() {
  g_autoptr(GstMessage) message = await(GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  g_autoptr(GError) error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  return error->message;
}

void Run::await_element_message(const char *name) {
  for (;;) {
    g_autoptr(GstMessage) message = await(GST_MESSAGE_ELEMENT);
    g_assert_nonnull(message);
    if (gst_message_has_name(message, name))
      return;
  }
}

void Run::await_eos() {
  g_autoptr(GstMessage) message = await(GST_MESSAGE_EOS);
  g_assert_nonnull(message);
}

guint64 Run::stat(const char *name) const {
  const ObjectPtr<GstElement> sink = get("sink");
  GstStructure *stats = nullptr;
  g_object_get(sink.get(), "stats", &stats, nullptr);
  guint64 value = 0;
  g_assert_true(
      gst_structure_get(stats, name, gst_structure_get_field_type(stats, name), &value, nullptr));
  gst_structure_free(stats);
  return value;
}

void Run::await_stat(const char *name, guint64 least) const {
  const gint64 deadline = g_get_monotonic_time() + patience / GST_USECOND;
  while (stat(name) < least) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    let_pass(2 * GST_MSECOND);
  }
}

std::string make_file (const char *name, const std::string &launch) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, nullptr);
  Run run(launch + " ! filesink location=" + path);
  run.play();
  run.await_eos();
  return path;
}

Ear::Ear(const std::string &url)
    : run_("rtmp2src location=" + url +
           " ! flvdemux ! aacparse name=parse ! avdec_aac ! audioconvert ! "
           "audio/x-raw,format=S16LE,channels=1 ! appsink name=ear sync=false") {
  run_.play();
}

void Ear::hear(GstClockTime duration, bool loud) {
  const ObjectPtr<GstElement> ear = run_.get("ear");
  GstClockTime heard = 0;
  const gint64 deadline = g_get_monotonic_time() + patience / GST_USECOND;
  while (heard < duration) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_autoptr(GstSample) sample = gst_app_sink_try_pull_sample(GST_APP_SINK(ear.get()), GST_SECOND);
    if (!sample) {
      g_assert_false(gst_app_sink_is_eos(GST_APP_SINK(ear.get())));
      continue;
    }
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    if (is_loud(buffer) == loud)
      heard += GST_BUFFER_DURATION(buffer);
    first_ = MIN(first_, GST_BUFFER_PTS(buffer));
    last_ = GST_BUFFER_PTS(buffer);
  }
}

void Ear::hear_out() {
  const ObjectPtr<GstElement> ear = run_.get("ear");
  for (;;) {
    g_autoptr(GstSample) sample =
        gst_app_sink_try_pull_sample(GST_APP_SINK(ear.get()), 300 * GST_MSECOND);
    if (!sample)
      return;
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    last_ = GST_BUFFER_PTS(buffer);
  }
}

int run_suites (int argc, char **argv) {
  // The plugin has the same types; what this program knows is no other's registry.
  g_unsetenv("GST_PLUGIN_PATH");
  if (const char *registry = g_getenv("GST_REGISTRY"))
    g_setenv("GST_REGISTRY", (std::string(registry) + ".sink").c_str(), TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  GST_ELEMENT_REGISTER(agorasink, nullptr);
  add_suites(argc, argv);
  const int result = g_test_run();
  server.reset();
  return result;
}

}  // namespace agora::test
