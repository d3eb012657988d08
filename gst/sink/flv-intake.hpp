// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Where FLV comes into agorasink: an element that lets the audio tags of one codec through to a
// demuxer, or, of Opus, which no demuxer knows, gives the packets itself.
//
//   sink, filter -> flv                     (tags, to flvdemux)
//             `---> packets of tags, opus   (a pad that comes with the first one)
#pragma once

#include <gst/gst.h>

#include "gst/common/flv-audio-filter.hpp"

namespace agora {

// A new one (floating). Its signal `refused (GstElement *, const char *why, gpointer)` says, on the
// streaming thread, what of its input can't be sent, as the middle of a sentence: the flow ends.
GstElement *make_flv_intake ();
// Streaming thread.
const FlvAudioFilter &flv_filter_of (GstElement *intake);

}  // namespace agora
