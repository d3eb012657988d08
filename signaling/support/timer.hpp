// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One moment on a main loop, which can be moved. Fires once for each time that it is set.
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <functional>

#include "signaling/support/glib-ptr.hpp"

namespace agora {

// The moment nearest to then, in us of g_get_monotonic_time(), at which all members of this process
// do what they do again and again, seconds apart: four a second, and others in each process. There
// may be a hundred, and each wake-up of their loop looks at all of their sockets.
std::int64_t common_moment (std::int64_t monotonic_us);

class Timer {
 public:
  // `fire` runs in `context`; null: the thread's default when the timer is first set. It may set
  // the timer again, and may destroy its owner.
  explicit Timer(std::function<void()> fire, GMainContext *context = nullptr);
  ~Timer();
  Timer(const Timer &) = delete;
  Timer &operator=(const Timer &) = delete;

  void at (std::int64_t monotonic_us);
  void in (unsigned ms);
  void stop ();

 private:
  struct Source;
  void attach ();

  const std::function<void()> fire_;
  const ContextPtr context_;
  Source *source_ = nullptr;  // null until the first time is set
};

}  // namespace agora
