// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/timer.hpp"

#include <new>
#include <utility>

namespace agora::gateway {

// GLib's timeout source sets its own ready time again after each call.
struct Timer::Source {
  GSource parent;
  std::function<void()> fire;
};

namespace {

GSourceFuncs functions = {nullptr,
                          nullptr,
                          [] (GSource *source, GSourceFunc callback, gpointer data) -> gboolean {
                            g_source_set_ready_time(source, -1);
                            return callback(data);
                          },
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

Timer::Timer(std::function<void()> fire)
    : source_(reinterpret_cast<Source *>(g_source_new(&functions, sizeof(Source)))) {
  new (&source_->fire) std::function<void()>(std::move(fire));
  auto call = [] (gpointer data) -> gboolean {
    // A copy: the owner, and with it the source's own, may go while it runs.
    auto fire_now = static_cast<Source *>(data)->fire;
    fire_now();
    return G_SOURCE_CONTINUE;
  };
  g_source_set_callback(&source_->parent, call, source_, nullptr);
  g_source_set_ready_time(&source_->parent, -1);
  g_source_attach(&source_->parent, g_main_context_get_thread_default());
}

Timer::~Timer() {
  g_source_destroy(&source_->parent);
  std::destroy_at(&source_->fire);
  g_source_unref(&source_->parent);
}

void Timer::at(std::int64_t monotonic_us) {
  g_source_set_ready_time(&source_->parent, monotonic_us);
}

void Timer::in(unsigned ms) {
  at(g_get_monotonic_time() + std::int64_t{1000} * ms);
}

void Timer::stop() {
  at(-1);
}

}  // namespace agora::gateway
