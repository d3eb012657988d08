// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// FLV tags on their way into RTMP sessions, and the timestamps that each session gets.
//
// A muxer's stream goes on for weeks; a session in between is new. rtmp2sink counts from 0, and
// takes a first timestamp beyond 2^31 ms for an error: it sends 0 from then on. So a session's
// timestamps are those of the stream, less a multiple of kSessionSpan that lets it begin below
// that. Sessions that follow each other have the same timestamps, but for this multiple: a
// listener that goes from one to the next knows by them what it has heard already.
#pragma once

#include <cstdint>
#include <span>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// Milliseconds: 12.4 days.
constexpr std::uint64_t kSessionSpan = std::uint64_t{1} << 30;

// Where in the stream the timestamps of a session are 0 that begins at `ms`.
constexpr std::uint64_t session_base (std::uint64_t ms) {
  return ms - ms % kSessionSpan;
}

// A tag of sound with this body, whose time is 0.
BufferPtr make_flv_tag (std::span<const std::uint8_t> body);
// What an FLV tag says of its time, in milliseconds: 32 bits, which wrap.
std::uint32_t flv_stamp (GstBuffer *tag);
// The same tag with another time. The sound is shared where it can be.
BufferPtr with_flv_stamp (GstBuffer *tag, std::uint32_t stamp);
// Caps of an FLV stream whose headers (`streamheader`) are of that time.
CapsPtr with_header_stamp (const GstCaps *caps, std::uint32_t stamp);
// Whether a tag is a frame of sound, and neither a header nor a script.
bool is_flv_frame (GstBuffer *tag);

}  // namespace agora
