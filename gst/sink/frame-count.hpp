// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// When each frame of a stream begins, where its timestamps don't always tell: frames share one, or
// all of them say 0. Then the frames' durations are counted from the last timestamp that told.
#pragma once

#include <gst/gst.h>

#include <optional>

namespace agora {

// Not thread-safe: belongs to the streaming thread.
class FrameCount {
 public:
  // When the frame begins that has the timestamp `stamp` and lasts for `duration`. A stamp that is
  // ahead of the count stands: there is a hole. So does one that goes far back: it begins anew.
  GstClockTime place (GstClockTime stamp, GstClockTime duration);
  void reset () { *this = FrameCount(); }

 private:
  std::optional<GstClockTime> last_;  // timestamp of the last frame
  GstClockTime end_ = 0;              // of the last frame, where it was placed
};

}  // namespace agora
