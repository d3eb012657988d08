// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Opus out of tags as elements have it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/opus-tag-reader.hpp"

namespace agora {

// Of an OpusHead that read_opus_tag() gave, for a decoder that may come when the stream has long
// begun: nothing of it is to be left out. Nothing where no decoder understands it.
CapsPtr opus_caps (std::span<const std::uint8_t> head);

// Hands on each head and each packet of whole tags, until the flow isn't OK.
GstFlowReturn read_opus_tags (
    GstBuffer *tags, OpusTagReader &reader,
    const std::function<GstFlowReturn(const OpusTagReader::Read &)> &take);

// A packet, at its time and with the duration that it says.
BufferPtr opus_frame (const OpusTagReader::Read &packet);

}  // namespace agora
