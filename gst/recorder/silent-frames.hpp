// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Silence as packets of a codec, for what is written as it was sent.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <span>

namespace agora::recorder {

struct SilentFrame {
  std::span<const std::uint8_t> bytes;  // empty: this codec has none here
  std::int64_t duration = 0;            // ns
};

// The longest frame of silence that isn't longer than `room`, to stand beside sound of `caps` whose
// frames take `frame_duration`; empty where none is as short.
SilentFrame silent_frame (const GstCaps *caps, std::int64_t frame_duration, std::int64_t room);

// Silence that may be this long, or as often as long; 0: there is none.
std::int64_t shortest_silence (const GstCaps *caps, std::int64_t frame_duration);

}  // namespace agora::recorder
