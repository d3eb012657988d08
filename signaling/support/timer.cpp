// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/support/timer.hpp"

#include <utility>

namespace agora {

// GLib's timeout source sets its own ready time again after each call.
struct Timer::Source {
  GSource parent;
  Timer *timer;
};

namespace {

GSourceFuncs functions = {
    nullptr,
    nullptr,
    [] (GSource *source, GSourceFunc callback, gpointer data) noexcept -> gboolean {
      g_source_set_ready_time(source, -1);
      return callback(data);
    },
    nullptr,
    nullptr,
    nullptr};

}  // namespace

std::int64_t common_moment (std::int64_t monotonic_us) {
  constexpr std::int64_t apart = G_USEC_PER_SEC / 4;
  static const std::int64_t phase = g_random_int_range(0, apart);
  return (monotonic_us - phase + apart / 2) / apart * apart + phase;
}

Timer::Timer(std::function<void()> fire, GMainContext *context)
    : fire_(std::move(fire)), context_(context ? g_main_context_ref(context) : nullptr) {
}

Timer::~Timer() {
  if (source_ == nullptr)
    return;
  g_source_destroy(&source_->parent);
  g_source_unref(&source_->parent);
}

void Timer::at(std::int64_t monotonic_us) {
  if (source_ == nullptr)
    attach();
  g_source_set_ready_time(&source_->parent, monotonic_us);
}

// Only when it is first set: most timers of members never are, and a source costs time in each
// iteration of the loop.
void Timer::attach() {
  source_ = reinterpret_cast<Source *>(g_source_new(&functions, sizeof(Source)));
  source_->timer = this;
  auto call = [] (gpointer data) noexcept -> gboolean {
    // A copy: the owner may go while it runs.
    auto fire_now = static_cast<Source *>(data)->timer->fire_;
    fire_now();
    return G_SOURCE_CONTINUE;
  };
  g_source_set_callback(&source_->parent, call, source_, nullptr);
  g_source_attach(&source_->parent,
                  context_ ? context_.get() : g_main_context_get_thread_default());
}

void Timer::in(unsigned ms) {
  at(g_get_monotonic_time() + std::int64_t{1000} * ms);
}

void Timer::stop() {
  if (source_ != nullptr)
    g_source_set_ready_time(&source_->parent, -1);
}

}  // namespace agora
