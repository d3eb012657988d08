// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which of the installed elements speaks a codec. GStreamer's own ranks decide; what encodes is
// chosen here.
#pragma once

#include <gst/gst.h>

#include <span>

namespace agora {

// Floating, or nullptr where none is installed or, for a parser, none is needed.
GstElement *make_parser (GstCaps *caps);
GstElement *make_decoder (GstCaps *caps);

struct AacEncoder {
  const char *name;
  // Samples of look-ahead that its timestamps leave out, as correlating what comes out of a
  // decoder with what went in shows; at any rate.
  unsigned priming;
};
// The AAC encoders that may be used, in the order of preference. All take `bitrate` in bits per
// second.
std::span<const AacEncoder> aac_encoders ();
// The first of them that is installed; or nullptr.
const AacEncoder *best_aac_encoder ();

}  // namespace agora
