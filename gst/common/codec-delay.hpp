// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How old the first sample of an encoded frame is when the frame can be sent: the encoder waits for
// the whole of it, and looks ahead. Who places what two codecs bring by its arrival alone hears the
// slower one later by the difference.
#pragma once

#include <gst/gst.h>

namespace agora {

// `duration`: of an Opus packet; AAC's is told by `caps`.
GstClockTime codec_delay (const GstCaps *caps, GstClockTime duration);

// AAC-LC at 48 kHz, what members send who are asked for nothing else.
constexpr GstClockTime kUsualCodecDelay = (1024 + 1600) * GST_SECOND / 48'000;

}  // namespace agora
