// SPDX-License-Identifier: LGPL-2.1-or-later
// What the rest of agorasrc needs of its live end.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "gst/gstagoramixsrc.h"
#include "gst/mixer.hpp"

namespace agora {

// A block of the mix: what its buffers hold, and the fixed latency that the element reports.
constexpr GstClockTime kMixBlock = 10 * GST_MSECOND;

// Called without a lock.
struct MixSrcHooks {
  // What the pipeline settled its latency at; from the thread that distributes it.
  std::function<void(GstClockTime)> latency;
  // The mix is about to be made, and has been made, up to this running time; from its streaming
  // thread.
  std::function<void(GstClockTime)> before_block;
  std::function<void(GstClockTime)> after_block;
};

GstElement *make_mix_src (std::shared_ptr<Mixer> mixer, MixSrcHooks hooks);
// Sound that could not be played since the process or downstream was held up.
GstClockTime mix_src_skipped (GstElement *mix_src);

}  // namespace agora
