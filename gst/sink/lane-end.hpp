// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// An element at either end of agorasink's lanes. Its pads are the lanes', and it keeps those alive:
// whatever thread is inside of one of its pads holds the element, as GStreamer does for any pad
// that has a parent.
#pragma once

#include <gst/gst.h>

#include <memory>

namespace agora {

class CodecLanes;

// A new one (floating), without pads.
GstElement *make_lane_end (const char *name, std::shared_ptr<CodecLanes> lanes);
// Of the element that a pad function is given as the pad's parent.
CodecLanes &lanes_of (GstObject *lane_end);

}  // namespace agora
