// SPDX-License-Identifier: LGPL-2.1-or-later
// Work that the thread at hand may not wait for.
#pragma once

#include <gst/gst.h>

#include <functional>
#include <utility>

namespace agora {

// Runs `work` on a thread of GStreamer's pool, with a reference to the element until it is done.
inline void run_async (GstElement *element, std::function<void()> work) {
  gst_element_call_async(
      element,
      [] (GstElement *, gpointer data) { (*static_cast<std::function<void()> *>(data))(); },
      new std::function<void()>(std::move(work)),
      [] (gpointer data) { delete static_cast<std::function<void()> *>(data); });
}

}  // namespace agora
