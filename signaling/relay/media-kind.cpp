// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/relay/media-kind.hpp"

#include <optional>

#include "signaling/relay/rtmp/server-session.hpp"

namespace agora::relay {

namespace {

using rtmp::Bytes;

// FLV's first byte: the codec of audio is its upper half, that of video its lower one.
constexpr unsigned legacy_aac = 10;
constexpr unsigned enhanced_audio = 9;
constexpr unsigned legacy_avc = 7;
constexpr unsigned legacy_hevc = 12;  // not Adobe's, but widely sent
constexpr unsigned key_frame = 1;

// Packet types of enhanced RTMP. Audio and video share these.
constexpr unsigned sequence_start = 0;
constexpr unsigned audio_multichannel = 4;
constexpr unsigned video_metadata = 4;
constexpr unsigned video_mpeg2ts_start = 5;
constexpr unsigned audio_multitrack = 5;
constexpr unsigned video_multitrack = 6;
constexpr unsigned mod_ex = 7;

struct PacketType {
  unsigned type = 0;
  std::uint8_t track = 0;
};

// Reads over the modifiers and the multitrack header that may stand before the real packet type.
// Nothing where the message ends before it.
std::optional<PacketType> packet_type_of (Bytes payload, unsigned multitrack) {
  unsigned type = payload[0] & 0x0fU;
  std::size_t at = 1;
  while (type == mod_ex) {
    if (at >= payload.size())
      return {};
    std::size_t size = std::size_t{payload[at++]} + 1;
    if (size == 256) {
      if (at + 2 > payload.size())
        return {};
      size = (std::size_t{payload[at]} << 8U | payload[at + 1]) + 1;
      at += 2;
    }
    at += size;
    if (at >= payload.size())
      return {};
    type = payload[at++] & 0x0fU;
  }
  if (type != multitrack)
    return PacketType{type, 0};
  if (at >= payload.size())
    return {};
  type = payload[at] & 0x0fU;
  // A FourCC, of all tracks or of the first one; then the first one's number.
  at += 5;
  if (at >= payload.size())
    return {};
  return PacketType{type, payload[at]};
}

MediaClass classify_audio (Bytes payload) {
  MediaClass found{MediaKind::audio};
  if (payload.empty())
    return found;
  const unsigned format = payload[0] >> 4U;
  if (format == legacy_aac && payload.size() >= 2 && payload[1] == 0)
    found.kind = MediaKind::audio_header;
  if (format != enhanced_audio)
    return found;
  const auto packet = packet_type_of(payload, audio_multitrack);
  if (packet && (packet->type == sequence_start || packet->type == audio_multichannel)) {
    found.kind = MediaKind::audio_header;
    // A channel layout is told beside the codec's own header.
    found.track = static_cast<std::uint8_t>(packet->track * 2 + (packet->type != sequence_start));
  }
  return found;
}

MediaClass classify_video (Bytes payload) {
  MediaClass found{MediaKind::video};
  if (payload.empty())
    return found;
  const bool enhanced = (payload[0] & 0x80U) != 0;
  const unsigned frame = (payload[0] >> 4U) & 0x07U;
  if (frame == key_frame)
    found.kind = MediaKind::video_key;
  if (!enhanced) {
    const unsigned codec = payload[0] & 0x0fU;
    if ((codec == legacy_avc || codec == legacy_hevc) && payload.size() >= 2 && payload[1] == 0)
      found.kind = MediaKind::video_header;
    return found;
  }
  const auto packet = packet_type_of(payload, video_multitrack);
  if (!packet)
    return found;
  const bool header = packet->type == sequence_start || packet->type == video_mpeg2ts_start;
  if (header || packet->type == video_metadata) {
    found.kind = MediaKind::video_header;
    // Colours are told beside the codec's own header.
    found.track = static_cast<std::uint8_t>(packet->track * 2 + !header);
  }
  return found;
}

}  // namespace

MediaClass classify (const rtmp::MediaMessage &message) {
  switch (message.type) {
    case rtmp::Type::audio:
      return classify_audio(message.payload);
    case rtmp::Type::video:
      return classify_video(message.payload);
    default:
      return {rtmp::data_name(message.payload) == "onMetaData" ? MediaKind::metadata
                                                               : MediaKind::data};
  }
}

}  // namespace agora::relay
