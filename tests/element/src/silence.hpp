// SPDX-License-Identifier: LGPL-2.1-or-later
// How much comes to a listener's end, and how much of it is silence.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

#include "tests/element/channel-rig.hpp"

namespace agora::test {

// Of a pipeline that ends in "audio/x-raw,format=F32LE ! fakesink name=end".
class Silence {
 public:
  explicit Silence(const Pipeline &pipeline) {
    g_autoptr(GstElement) end = pipeline.get("end");
    pad_ = gst_element_get_static_pad(end, "sink");
    probe_ = gst_pad_add_probe(pad_, GST_PAD_PROBE_TYPE_BUFFER, measure, this, nullptr);
  }
  ~Silence() {
    gst_pad_remove_probe(pad_, probe_);
    gst_object_unref(pad_);
  }
  Silence(const Silence &) = delete;
  Silence &operator=(const Silence &) = delete;

  // Since the last call, in milliseconds; and of everything that came.
  guint64 ms () { return silent_.exchange(0) / GST_MSECOND; }
  guint64 came_ms () { return came_.exchange(0) / GST_MSECOND; }

 private:
  static GstPadProbeReturn measure (GstPad *, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Silence *>(data);
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstMapInfo map;
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    const auto *samples = reinterpret_cast<const float *>(map.data);
    float peak = 0;
    for (gsize i = 0; i < map.size / sizeof(float); i++)
      peak = std::max(peak, std::abs(samples[i]));
    gst_buffer_unmap(buffer, &map);
    self->came_ += GST_BUFFER_DURATION(buffer);
    constexpr float quiet = 0.01f;
    if (peak < quiet)
      self->silent_ += GST_BUFFER_DURATION(buffer);
    return GST_PAD_PROBE_OK;
  }

  GstPad *pad_;
  gulong probe_;
  std::atomic<GstClockTime> silent_ = 0;
  std::atomic<GstClockTime> came_ = 0;
};

}  // namespace agora::test
