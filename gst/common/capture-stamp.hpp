// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The sender's wall clock inside the sound: it says when the frame's first sample was at the
// sender's sink pad. It passes media servers that forward nothing but audio, and decoders skip it:
// in AAC it is a data stream element before the frame, in Opus padding (opus-packet.hpp).
#pragma once

#include <cstdint>
#include <optional>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// `frame`, a raw AAC frame or an Opus packet, with a stamp of `wall`, microseconds since 1970; as
// it is where it takes none. `caps` say which of them.
BufferPtr stamp_frame (GstBuffer *frame, const GstCaps *caps, std::int64_t wall);
// The stamp that it has, if any.
std::optional<std::int64_t> read_stamp (GstBuffer *frame, const GstCaps *caps);

}  // namespace agora
