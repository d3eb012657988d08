// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Frames of AAC that are said to be raw, and begin with an ADTS header nevertheless, as some
// senders of FLV make them. Decoders mostly take them; what reads a frame by the specification
// doesn't.
#pragma once

#include "gst/common/aac-format.hpp"
#include "gst/common/gst-ptr.hpp"

namespace agora {

// `frame` without its header, where that says what `format` does; as it is otherwise.
BufferPtr without_adts (GstBuffer *frame, const AacFormat &format);

}  // namespace agora
