// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the rest of agorasrc needs of its live end.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "gst/gstagoramixsrc.h"
#include "gst/mix/mixer.hpp"

namespace agora {

// What the mix is made of; half as much where sound hardly waits, twice where it waits long.
constexpr GstClockTime kMixBlock = 10 * GST_MSECOND;
// The fixed latency that the element reports: half a block. A synchronising sink keeps time for
// what is before it (processing-deadline, 20 ms), and making the mix is some of that; where nothing
// is kept, blocks are made this early, out of sound that waits for its moment anyway.
constexpr GstClockTime kMixLatency = kMixBlock / 2;

// What a sink keeps for itself by default. One that does can have blocks that are made 10 ms late.
constexpr GstClockTime kSinkPatience = 20 * GST_MSECOND;

// Called without a lock.
struct MixSrcHooks {
  // What the pipeline settled its latency at, and whether blocks may be made late where sound
  // hardly waits; from the thread that distributes it.
  std::function<void(GstClockTime latency, bool patient)> latency;
  // The mix is about to be made, and has been made, up to this running time; from its streaming
  // thread.
  std::function<void(GstClockTime)> before_block;
  std::function<void(GstClockTime)> after_block;
};

GstElement *make_mix_src (std::shared_ptr<Mixer> mixer, MixSrcHooks hooks);
// The hooks are not called any more. Only while it is stopped.
void release_mix_src (GstElement *mix_src);
// Sound that could not be played since the process or downstream was held up.
GstClockTime mix_src_skipped (GstElement *mix_src);

}  // namespace agora
