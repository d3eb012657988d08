// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/signal-thread.hpp"

#include "gst/common/handoff.hpp"

namespace agora {
namespace {

gpointer run_loop (gpointer data) noexcept {
  auto *context = static_cast<GMainContext *>(data);
  g_main_context_push_thread_default(context);
  g_autoptr(GMainLoop) loop = g_main_loop_new(context, FALSE);
  g_main_loop_run(loop);
  g_main_context_pop_thread_default(context);
  return nullptr;
}

gboolean call (gpointer work) noexcept {
  Work::run(work);
  return G_SOURCE_REMOVE;
}

void attach (GSource *source, GMainContext *context, std::function<void()> what) {
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(source, call, new Work(std::move(what)), Work::discard);
  g_source_attach(source, context);
}

}  // namespace

GMainContext *signal_context () {
  static GMainContext *context = [] {
    GMainContext *c = g_main_context_new();
    g_thread_unref(g_thread_new("agora-signal", run_loop, c));
    return c;
  }();
  return context;
}

void post (GMainContext *context, std::function<void()> what) {
  g_autoptr(GSource) source = g_idle_source_new();
  attach(source, context, std::move(what));
}

SourcePtr after (GMainContext *context, unsigned ms, std::function<void()> what) {
  GSource *source = g_timeout_source_new(ms);
  attach(source, context, std::move(what));
  return SourcePtr(source);
}

}  // namespace agora
