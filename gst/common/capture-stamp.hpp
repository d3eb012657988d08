// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The sender's wall clock inside the sound: an AAC data stream element before the frame, which
// decoders skip, says when the frame's first sample was at the sender's sink pad. It passes media
// servers that forward nothing but audio.
#pragma once

#include <cstdint>
#include <optional>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// `frame`, a raw AAC frame, with a stamp of `wall` (microseconds since 1970) before it.
BufferPtr stamp_frame (GstBuffer *frame, std::int64_t wall);
// The stamp that a raw AAC frame begins with, if any.
std::optional<std::int64_t> read_stamp (GstBuffer *frame);

}  // namespace agora
