// SPDX-License-Identifier: LGPL-2.1-or-later
// Owners for GLib types: moving is cheap, copying is written out. Nothing takes a reference
// unasked.
#pragma once

#include <gio/gio.h>

#include <memory>
#include <utility>

namespace agora::gateway {

struct ObjectDeleter {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectDeleter>;
template <typename T>
ObjectPtr<T> share (T *object) {
  return ObjectPtr<T>(static_cast<T *>(g_object_ref(object)));
}

struct FreeDeleter {
  void operator()(gpointer memory) const { g_free(memory); }
};
using CharPtr = std::unique_ptr<char, FreeDeleter>;

struct ErrorDeleter {
  void operator()(GError *error) const { g_error_free(error); }
};
using ErrorPtr = std::unique_ptr<GError, ErrorDeleter>;

struct BytesDeleter {
  void operator()(GBytes *bytes) const { g_bytes_unref(bytes); }
};
using BytesPtr = std::unique_ptr<GBytes, BytesDeleter>;

struct UriDeleter {
  void operator()(GUri *uri) const { g_uri_unref(uri); }
};
using UriPtr = std::unique_ptr<GUri, UriDeleter>;

struct KeyFileDeleter {
  void operator()(GKeyFile *file) const { g_key_file_unref(file); }
};
using KeyFilePtr = std::unique_ptr<GKeyFile, KeyFileDeleter>;

// An attached source: gone from its context when its owner goes.
class SourcePtr {
 public:
  SourcePtr() = default;
  explicit SourcePtr(GSource *attached) : source_(attached) {}
  SourcePtr(SourcePtr &&other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
  SourcePtr &operator=(SourcePtr &&other) noexcept {
    std::swap(source_, other.source_);
    return *this;
  }
  ~SourcePtr() { reset(); }
  void reset () {
    if (source_ != nullptr) {
      g_source_destroy(source_);
      g_source_unref(source_);
      source_ = nullptr;
    }
  }
  explicit operator bool() const { return source_ != nullptr; }

 private:
  GSource *source_ = nullptr;
};

}  // namespace agora::gateway
