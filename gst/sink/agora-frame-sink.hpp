// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The end of agorasink's input: a GstBaseSink that hands each frame over when its time has come.
// Clock, preroll, segments, seeks, steps, EOS, QoS, position and latency are the base class's. The
// same sound may come in two codecs: then each has its own count of what fits into time.
#pragma once

#include <gst/gst.h>

namespace agora {

// Who takes the frames. Called on the streaming thread, under the sink's preroll lock: it must not
// wait, and must not change the sink's state.
class FrameTaker {
 public:
  virtual ~FrameTaker() = default;
  // A stream begins: the first one, or another.
  virtual void stream_started () = 0;
  // How long a frame lasts.
  virtual GstClockTime duration_of (GstBuffer *frame, GstCaps *caps) = 0;
  // A frame that is due now. `time` is its running time.
  virtual GstFlowReturn take_frame (GstBuffer *frame, GstCaps *caps, GstClockTime time) = 0;
  // What was taken before is of no use any more: a flushing seek.
  virtual void flushed () = 0;
};

// Sound in another format than time has a running time too: that of its frames, one after another.
// Takes a SEGMENT event, and gives one in time.
GstEvent *segment_in_time (GstEvent *event);

// A frame of another codec than the pad's caps say: it has its own with it. Takes the frame, and
// gives it.
GstBuffer *mark_side_frame (GstBuffer *frame, GstCaps *caps);
// Its caps, the frame's; nullptr: it is none.
GstCaps *side_caps_of (GstBuffer *frame);

// A new frame sink (floating). `taker` must outlive it, or call abandon_frame_sink().
GstElement *make_frame_sink (FrameTaker *taker);
// Waits until no thread is in the taker; none comes any more until the next start.
void quiet_frame_sink (GstElement *sink);
// The taker goes. The sink must be quiet.
void abandon_frame_sink (GstElement *sink);

}  // namespace agora
