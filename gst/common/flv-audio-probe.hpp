// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The audio filter before a demuxer.
#pragma once

#include <memory>

#include "gst/common/flv-audio-filter.hpp"
#include "gst/common/gst-ptr.hpp"

namespace agora {

// All that comes to `pad`, a demuxer's sink pad, goes through the filter that is returned, which
// belongs to the pad's streaming thread. A seek upstream is refused there: its bytes would not be
// those that the demuxer counted.
std::shared_ptr<FlvAudioFilter> add_flv_audio_probe (GstPad *pad);

// For a probe that does more besides: puts what the filter lets through in the place of the data.
GstPadProbeReturn filter_flv_audio (GstPadProbeInfo *info, FlvAudioFilter &filter);

}  // namespace agora
