// SPDX-License-Identifier: LGPL-2.1-or-later
// What agorasink has plugged, and sound that comes to it by hand.
#pragma once

#include <gst/gst.h>

#include "gst/common/gst-ptr.hpp"
#include "gst/sink/silence.hpp"
#include "tests/element/sink/rig.hpp"

namespace agora::test {

inline double milliseconds_since (gint64 begin) {
  return static_cast<double>(g_get_monotonic_time() - begin) / 1000;
}

inline bool has_inside (const Run &run, const char *factory) {
  GstIterator *all =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(run.get("sink").get()), factory);
  GValue first = G_VALUE_INIT;
  const bool found = gst_iterator_next(all, &first) == GST_ITERATOR_OK;
  if (found)
    g_value_unset(&first);
  gst_iterator_free(all);
  return found;
}

inline void await_inside (const Run &run, const char *factory, bool there = true) {
  const gint64 deadline = g_get_monotonic_time() + patience / GST_USECOND;
  while (has_inside(run, factory) != there) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    let_pass(2 * GST_MSECOND);
  }
}

// As an encoder or a demuxer gives it: one frame a buffer, and all is said of it.
inline CapsPtr framed_caps () {
  CapsPtr caps = agora::default_aac_caps();
  CapsPtr framed(gst_caps_make_writable(caps.release()));
  gst_caps_set_simple(framed.get(), "framed", G_TYPE_BOOLEAN, TRUE, "profile", G_TYPE_STRING, "lc",
                      "base-profile", G_TYPE_STRING, "lc", nullptr);
  return framed;
}

inline CapsPtr raw_caps () {
  return CapsPtr(
      gst_caps_from_string("audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1"));
}

inline BufferPtr raw_silence (GstClockTime duration) {
  const gsize size = gst_util_uint64_scale(duration, 48'000 * sizeof(gint16), GST_SECOND);
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(buffer.get(), 0, 0, size);
  return buffer;
}

}  // namespace agora::test
