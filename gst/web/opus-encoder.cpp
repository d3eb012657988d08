// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/opus-encoder.hpp"

namespace agora::web {

ObjectPtr<GstElement> make_opus_encoder () {
  auto encoder = sink_ref(gst_element_factory_make("opusenc", nullptr));
  if (encoder) {
    gst_util_set_object_arg(G_OBJECT(encoder.get()), "frame-size", "20");
    g_object_set(encoder.get(), "bitrate", 40000, "complexity", 5, "inband-fec", TRUE,
                 "packet-loss-percentage", 10, nullptr);
  }
  return encoder;
}

}  // namespace agora::web
