// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// When each frame of a stream begins: where the one before it ended, by its samples. Timestamps
// only tell of holes, and how fast the sender's clock runs. Those of the field don't always tell
// that: frames share one, all of them are 0, they wobble, go back, begin anew.
//
//   timestamp, against the count | the frame goes
//   -----------------------------|-------------------------------------------------------------
//   ahead                        | there: a hole, until earlier() says that it was none
//   a little behind              | where the last one ended, or up to 0.2 % sooner
//   behind for longer, and more  | where the last one ended; what follows is compared with that
#pragma once

#include <gst/gst.h>

#include <optional>

namespace agora {

// Not thread-safe: belongs to the streaming thread.
class FrameCount {
 public:
  // When the frame begins that has the timestamp `stamp` and lasts for `duration`.
  GstClockTime place (GstClockTime stamp, GstClockTime duration);
  bool begun () const { return last_.has_value(); }
  // Between the frame that was placed last and the one before it.
  GstClockTime hole () const { return hole_; }
  // What was placed last, and all that follows, belongs so much earlier: its timestamps jumped.
  void earlier (GstClockTime by);
  void reset () { *this = FrameCount(); }

 private:
  void compare (GstClockTimeDiff ahead);

  std::optional<GstClockTime> last_;  // timestamp of the last frame
  GstClockTimeDiff base_ = 0;         // so much later than timestamps say everything is
  GstClockTime end_ = 0;              // of the last frame, where it was placed
  GstClockTime hole_ = 0;
  // Timestamps, one after another, that were far behind, and the nearest of them.
  unsigned behind_ = 0;
  GstClockTimeDiff nearest_ = 0;
};

}  // namespace agora
