// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Owners for GLib types: each holds one reference and gives it back. Moving is cheap, copying is
// written out as share(). Nothing takes a reference unasked.
#pragma once

#include <gio/gio.h>

#include <memory>

namespace agora {

struct ObjectUnref {
  void operator()(gpointer object) const noexcept { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;
template <typename T>
ObjectPtr<T> share (T *object) {
  return ObjectPtr<T>(static_cast<T *>(g_object_ref(object)));
}

struct MemoryFree {
  void operator()(gpointer memory) const noexcept { g_free(memory); }
};
using CharPtr = std::unique_ptr<char, MemoryFree>;

struct ErrorFree {
  void operator()(GError *error) const noexcept { g_error_free(error); }
};
using ErrorPtr = std::unique_ptr<GError, ErrorFree>;

struct BytesUnref {
  void operator()(GBytes *bytes) const noexcept { g_bytes_unref(bytes); }
};
using BytesPtr = std::unique_ptr<GBytes, BytesUnref>;

struct UriUnref {
  void operator()(GUri *uri) const noexcept { g_uri_unref(uri); }
};
using UriPtr = std::unique_ptr<GUri, UriUnref>;

struct KeyFileUnref {
  void operator()(GKeyFile *file) const noexcept { g_key_file_unref(file); }
};
using KeyFilePtr = std::unique_ptr<GKeyFile, KeyFileUnref>;

struct ContextUnref {
  void operator()(GMainContext *context) const noexcept { g_main_context_unref(context); }
};
using ContextPtr = std::unique_ptr<GMainContext, ContextUnref>;

// A source that is attached: it leaves its context when its owner goes.
struct SourceDestroy {
  void operator()(GSource *source) const noexcept {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
using SourcePtr = std::unique_ptr<GSource, SourceDestroy>;

}  // namespace agora
