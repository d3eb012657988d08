// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an RTMP media message is to a relay: whether a late joiner needs it, whether a slow listener
// can do without it. Legacy FLV tags and enhanced RTMP (any FourCC). Pure.
#pragma once

#include <cstdint>

#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay {

enum class MediaKind : std::uint8_t {
  control,       // not media: answers, pings
  audio,         // a frame
  audio_header,  // what a decoder must have first
  video,         // a frame that needs others before it
  video_key,     // a frame to begin with
  video_header,
  metadata,  // onMetaData
  data,      // any other AMF data message
};

struct MediaClass {
  MediaKind kind = MediaKind::data;
  // A header's track in multitrack messages. Headers of different tracks don't replace each other.
  std::uint8_t track = 0;
};

MediaClass classify (const rtmp::MediaMessage &message);

// A whole message of this kind may be left out for a listener that falls behind.
constexpr bool may_be_left_out (MediaKind kind) {
  return kind == MediaKind::audio || kind == MediaKind::video || kind == MediaKind::video_key ||
         kind == MediaKind::data;
}

}  // namespace agora::relay
