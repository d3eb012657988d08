// SPDX-License-Identifier: LGPL-2.1-or-later
// Ownership of GLib's things by C++ members.
#pragma once

#include <gio/gio.h>

#include <memory>

namespace agora {

struct ObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename Object>
using ObjectPtr = std::unique_ptr<Object, ObjectUnref>;

struct ContextUnref {
  void operator()(GMainContext *context) const { g_main_context_unref(context); }
};
using ContextPtr = std::unique_ptr<GMainContext, ContextUnref>;

struct SourceDestroy {
  void operator()(GSource *source) const {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
using SourcePtr = std::unique_ptr<GSource, SourceDestroy>;

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

}  // namespace agora
