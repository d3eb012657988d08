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

// `on_latency` hears what the pipeline settled its latency at, from the thread that distributes it;
// `on_block` that the mix has come to this running time, from its streaming thread. Without a lock.
GstElement *make_mix_src (std::shared_ptr<Mixer> mixer,
                          std::function<void(GstClockTime)> on_latency,
                          std::function<void(GstClockTime)> on_block);
// Sound that could not be played since the process or downstream was held up.
GstClockTime mix_src_skipped (GstElement *mix_src);

}  // namespace agora
