// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/pipeline.hpp"

#include <atomic>
#include <cstdio>
#include <utility>

#include "gst/common/handoff.hpp"
#include "gst/common/signal-thread.hpp"

namespace agora::web {

namespace {

// Stops that run at once. One takes some 10 ms, and half a second where the gateway is gone.
constexpr int most_stopping = 8;
// What a change of state may take; longer is worth a line.
constexpr gint64 longest_stop_ms = 500;

std::size_t ending = 0;  // main loop

// How often, and how many times, it is asked whether a pipeline may stop.
constexpr unsigned ask_ms = 20, most_asks = 50;

struct Stop {
  ObjectPtr<GstElement> pipeline;
  std::function<void()> stopped;
  std::function<bool()> may_stop;  // main loop
  unsigned asked = 0;
};

GThreadPool *pool () {
  static GThreadPool *pool = g_thread_pool_new(
      [] (gpointer data, gpointer) noexcept {
        std::unique_ptr<Stop> stop(static_cast<Stop *>(data));
        const gint64 began = g_get_monotonic_time();
        gst_element_set_state(stop->pipeline.get(), GST_STATE_NULL);
        const gint64 took_ms = (g_get_monotonic_time() - began) / 1000;
        if (took_ms > longest_stop_ms)
          std::fprintf(stderr, "a session took %" G_GINT64_FORMAT " ms to stop\n", took_ms);
        stop->pipeline.reset();
        post(nullptr, [stopped = std::move(stop->stopped)] {
          ending--;
          if (stopped)
            stopped();
        });
      },
      nullptr, most_stopping, FALSE, nullptr);
  return pool;
}

void stop_soon (std::unique_ptr<Stop> stop) {
  if (!stop->may_stop || stop->may_stop() || stop->asked++ == most_asks) {
    stop->may_stop = {};
    g_thread_pool_push(pool(), stop.release(), nullptr);
    return;
  }
  g_timeout_add(
      ask_ms,
      [] (gpointer data) noexcept -> gboolean {
        stop_soon(std::unique_ptr<Stop>(static_cast<Stop *>(data)));
        return G_SOURCE_REMOVE;
      },
      stop.release());
}

}  // namespace

// What messages go to; the Pipeline may be gone by then.
struct Pipeline::Bus {
  Callbacks callbacks;  // main loop
  std::atomic<bool> over = false;
  std::atomic<bool> has_failed = false;
};

Pipeline::Pipeline(Callbacks callbacks)
    : pipeline_(sink_ref(gst_pipeline_new(nullptr))), bus_(std::make_shared<Bus>()) {
  bus_->callbacks = std::move(callbacks);
  // All of a process's, so that what passes between them needs no other time.
  ObjectPtr<GstClock> clock(gst_system_clock_obtain());
  gst_pipeline_use_clock(GST_PIPELINE(pipeline_.get()), clock.get());
  ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(
      bus.get(), on_message, new std::shared_ptr<Bus>(bus_),
      [] (gpointer data) noexcept { delete static_cast<std::shared_ptr<Bus> *>(data); });
}

Pipeline::~Pipeline() {
  end();
}

bool Pipeline::play() {
  return gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

void Pipeline::end(std::function<void()> stopped, std::function<bool()> may_stop) {
  if (!pipeline_)
    return;
  bus_->over = true;
  bus_->callbacks = {};
  ending++;
  stop_soon(std::unique_ptr<Stop>(
      new Stop{std::move(pipeline_), std::move(stopped), std::move(may_stop)}));
}

// Any thread.
GstBusSyncReply Pipeline::on_message(GstBus *, GstMessage *message, gpointer data) noexcept {
  const auto bus = *static_cast<std::shared_ptr<Bus> *>(data);
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
      if (!bus->over && !bus->has_failed.exchange(true)) {
        GError *error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        post(nullptr, [bus, error = std::shared_ptr<GError>(error, g_error_free)] {
          // Kept: the callback may end the pipeline.
          if (auto failed = bus->callbacks.failed)
            failed(*error);
        });
      }
      break;
    case GST_MESSAGE_LATENCY: {
      // Who posts it may hold what the calculation waits for.
      auto *around = GST_OBJECT(gst_object_ref(GST_MESSAGE_SRC(message)));
      while (GstObject *parent = gst_object_get_parent(around)) {
        gst_object_unref(around);
        around = parent;
      }
      if (GST_IS_BIN(around) && !bus->over)
        run_async(GST_ELEMENT(around),
                  [bin = GST_BIN(around)] { gst_bin_recalculate_latency(bin); });
      gst_object_unref(around);
      break;
    }
    case GST_MESSAGE_ELEMENT:
      if (!bus->over)
        post(nullptr, [bus, structure = std::shared_ptr<GstStructure>(
                                gst_structure_copy(gst_message_get_structure(message)),
                                gst_structure_free)] {
          if (auto element = bus->callbacks.element)
            element(*structure);
        });
      break;
    default:
      break;
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

std::size_t pipelines_ending () {
  return ending;
}

bool await_pipelines (unsigned ms) {
  bool late = false;
  const SourcePtr timer = after(nullptr, ms, [&] { late = true; });
  while (ending > 0 && !late)
    g_main_context_iteration(nullptr, TRUE);
  // What they posted at their ends.
  while (g_main_context_iteration(nullptr, FALSE)) {
  }
  return ending == 0;
}

}  // namespace agora::web
