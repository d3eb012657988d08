// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Where a frame lies on the published timeline, which never goes back: RTMP knows only one, and it
// outlives seeks, pauses and changes of the source.
#pragma once

#include <gst/gst.h>

#include <optional>

namespace agora {

// Not thread-safe: belongs to the thread that feeds the muxer.
class SendTimeline {
 public:
  // The place of a frame of running time `time`. `since_last` is how long ago the last frame was
  // placed. Nothing, when a filler has already taken the place of this late frame.
  std::optional<GstClockTime> place (GstClockTime time, GstClockTime duration, bool fresh,
                                     GstClockTime since_last);
  // The place of a filler that stands in for a frame that didn't come.
  GstClockTime fill (GstClockTime duration, GstClockTime since_last);
  // The running time stood still while fillers went out (a pause): what follows is no late frame.
  void paused () { paused_ = true; }
  void reset () { *this = SendTimeline(); }

 private:
  // Frames that were left out, one after another, since fillers had taken their places.
  struct Late {
    GstClockTimeDiff lag;  // of the first, behind the fillers
    GstClockTimeDiff left_out = 0;
  };

  bool catches_up (GstClockTimeDiff lag, GstClockTime duration);

  GstClockTimeDiff offset_ = 0;
  std::optional<Late> late_;
  std::optional<GstClockTime> end_;
  bool filling_ = false;
  bool paused_ = false;
};

}  // namespace agora
