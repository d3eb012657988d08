// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Owners of what GStreamer counts, beside those of GLib's types: each holds one reference and gives
// it back. A GstObject is a GObject: ObjectPtr holds both.
#pragma once

#include <gst/gst.h>

#include <memory>

#include "signaling/support/glib-ptr.hpp"

namespace agora {

struct MiniObjectUnref {
  void operator()(gpointer object) const noexcept {
    gst_mini_object_unref(static_cast<GstMiniObject *>(object));
  }
};

using BufferPtr = std::unique_ptr<GstBuffer, MiniObjectUnref>;
using BufferListPtr = std::unique_ptr<GstBufferList, MiniObjectUnref>;
using CapsPtr = std::unique_ptr<GstCaps, MiniObjectUnref>;

inline CapsPtr share (GstCaps *caps) {
  return CapsPtr(caps ? gst_caps_ref(caps) : nullptr);
}
inline BufferPtr share (GstBuffer *buffer) {
  return BufferPtr(buffer ? gst_buffer_ref(buffer) : nullptr);
}

// A floating reference, as gst_*_new() gives it, becomes ours.
template <typename T>
ObjectPtr<T> sink_ref (T *object) {
  return ObjectPtr<T>(static_cast<T *>(object ? gst_object_ref_sink(object) : nullptr));
}

}  // namespace agora
