// SPDX-License-Identifier: LGPL-2.1-or-later
// A scope in which a context is the thread's default.
#pragma once

#include <gio/gio.h>

namespace agora::client {

// What is begun in this scope reports to `context`.
class ThreadDefault {
 public:
  explicit ThreadDefault(GMainContext *context) : context_(context) {
    g_main_context_push_thread_default(context_);
  }
  ~ThreadDefault() { g_main_context_pop_thread_default(context_); }
  ThreadDefault(const ThreadDefault &) = delete;
  ThreadDefault &operator=(const ThreadDefault &) = delete;

 private:
  GMainContext *context_;
};

}  // namespace agora::client
