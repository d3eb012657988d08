// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The audio filter on buffers, before whatever takes its tags apart.
#pragma once

#include "gst/common/flv-audio-filter.hpp"
#include "gst/common/gst-ptr.hpp"

namespace agora {

// What the filter lets through of it, at its time; nothing where that is nothing.
BufferPtr filter_flv_audio (GstBuffer *buffer, FlvAudioFilter &filter);

}  // namespace agora
