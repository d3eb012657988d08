// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What encodes for listeners.
#pragma once

#include <gst/gst.h>

#include "gst/common/gst-ptr.hpp"

namespace agora::web {

// opusenc: 48 kHz mono in, packets for Peer::push() out; with in-band FEC. Null: it isn't there.
ObjectPtr<GstElement> make_opus_encoder ();

}  // namespace agora::web
