// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Something to be done on another thread, as GLib and GStreamer carry it: a function and its data.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>
#include <utility>

namespace agora {

class Work {
 public:
  explicit Work(std::function<void()> what) : what_(std::move(what)) {
    // Their queues put it in order too, by locks that ThreadSanitizer can't see: it sees this one.
    ready_.store(true, std::memory_order_release);
  }
  static void run (gpointer work) noexcept {
    auto *self = static_cast<Work *>(work);
    if (self->ready_.load(std::memory_order_acquire))
      self->what_();
  }
  static void discard (gpointer work) noexcept { delete static_cast<Work *>(work); }

 private:
  std::function<void()> what_;
  std::atomic<bool> ready_ = false;
};

// Runs `what` on a thread of GStreamer's pool, with a reference to the element.
inline void run_async (GstElement *element, std::function<void()> what) {
  gst_element_call_async(
      element, [] (GstElement *, gpointer work) noexcept { Work::run(work); },
      new Work(std::move(what)), Work::discard);
}

}  // namespace agora
