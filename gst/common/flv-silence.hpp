// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Why an FLV stream is silent though tags of it come. Pure.
#pragma once

#include <string>

#include "gst/common/flv-audio-filter.hpp"

namespace agora {

// For a sentence like "It is not heard: ….": of what came in the time in question.
std::string why_silent (const FlvAudioFilter::Arrivals &came);

}  // namespace agora
