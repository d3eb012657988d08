// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a thread does with a context that may be another thread's.
#pragma once

#include <gio/gio.h>

#include <utility>

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

// Does it here and now if no other thread is running the context, with the context kept until it is
// done. False: another thread is, and nothing was done.
template <typename What>
bool do_alone (GMainContext *context, const What &what) {
  if (!g_main_context_acquire(context))
    return false;
  {
    ThreadDefault scope(context);
    what();
  }
  g_main_context_release(context);
  return true;
}

// Has whoever runs the context do it.
template <typename What>
void do_there (GMainContext *context, What what) {
  GSource *source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(
      source,
      [] (gpointer data) noexcept -> gboolean {
        (*static_cast<What *>(data))();
        return G_SOURCE_REMOVE;
      },
      new What(std::move(what)), [] (gpointer data) noexcept { delete static_cast<What *>(data); });
  g_source_attach(source, context);
  g_source_unref(source);
}

}  // namespace agora::client
