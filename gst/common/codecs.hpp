// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which of the installed elements speaks a codec. GStreamer's own ranks decide.
#pragma once

#include <gst/gst.h>

namespace agora {

// Floating, or nullptr where none is installed or, for a parser, none is needed.
GstElement *make_parser (GstCaps *caps);
GstElement *make_decoder (GstCaps *caps);

}  // namespace agora
