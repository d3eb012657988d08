// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A muxer gives away each header and each frame by itself, which for fdsink is a write each. This
// one gathers them before it, until flush() or until there are many. Streaming thread alone.
#pragma once

#include "gst/common/gst-ptr.hpp"

namespace agora::recorder {

class BatchedSink {
 public:
  // `sink` hasn't started; it is told of no buffer before the flush, and of all else in order.
  explicit BatchedSink(GstElement *sink);
  ~BatchedSink();
  BatchedSink(const BatchedSink &) = delete;
  BatchedSink &operator=(const BatchedSink &) = delete;

  void flush ();

 private:
  static GstPadProbeReturn on_data (GstPad *pad, GstPadProbeInfo *info, gpointer self) noexcept;
  void gather (BufferPtr buffer);

  ObjectPtr<GstPad> pad_;
  gulong probe_;
  BufferListPtr batch_;  // null: nothing waits
  std::size_t bytes_ = 0;
};

}  // namespace agora::recorder
