// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a packet of Opus in a buffer says of itself.
#pragma once

#include <gst/gst.h>

#include <optional>
#include <span>

#include "gst/common/opus-packet.hpp"

namespace agora {

// Nothing: a header, or nothing that a decoder takes.
inline std::optional<OpusPacket> read_packet (GstBuffer *buffer) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
    return std::nullopt;
  const auto packet = OpusPacket::of(std::span(map.data, map.size));
  gst_buffer_unmap(buffer, &map);
  return packet;
}

inline GstClockTime duration_of (const OpusPacket &packet) {
  return gst_util_uint64_scale_int(packet.samples, GST_SECOND, 48'000);
}

}  // namespace agora
