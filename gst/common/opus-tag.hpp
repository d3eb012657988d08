// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Opus in the audio tags of Enhanced RTMP, which no muxer or demuxer of GStreamer knows yet: the
// body of one tag, read and written. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gst/common/enhanced-tag.hpp"

namespace agora {

struct OpusTag {
  enum class Kind {
    foreign,  // another codec's, or not in this way: somebody else has to read it
    head,     // SequenceStart: an OpusHead (RFC 7845, 5.1)
    packet,   // CodedFrames: one packet (RFC 6716, 3)
    end,      // SequenceEnd
    layout,   // MultichannelConfig: where channels belong; mono and stereo need none
    ignored,  // another track's, or of a type that is not known yet
    refused,  // cut off, empty, or no OpusHead of a version that is known
  };
  Kind kind = Kind::foreign;
  // Of a head or a packet: within what was read.
  std::span<const std::uint8_t> data;
};

inline constexpr FourLetters kOpusLetters = {'O', 'p', 'u', 's'};

OpusTag read_opus_tag (const EnhancedTag &tag);
inline OpusTag read_opus_tag (std::span<const std::uint8_t> body) {
  return read_opus_tag(EnhancedTag::read(body));
}

// The body of a tag with this head or packet.
std::vector<std::uint8_t> write_opus_tag (OpusTag::Kind kind, std::span<const std::uint8_t> data);

// An OpusHead for mono or stereo. `pre_skip`: samples at 48 kHz that a player leaves out where the
// stream begins; 0 for whoever comes later. `gain`: in 1/256 dB.
inline constexpr std::size_t kOpusHead = 19;
std::array<std::uint8_t, kOpusHead> opus_head (int channels, unsigned pre_skip, int gain = 0);
// What a head makes its sound louder by, in 1/256 dB, as far as that is bearable: everybody who
// decodes it is to hear it alike. 0 of what is too short for a head.
int opus_head_gain (std::span<const std::uint8_t> head);
// Of an OpusHead that read_opus_tag() gave, as are the next three.
int opus_head_channels (std::span<const std::uint8_t> head);
int opus_head_family (std::span<const std::uint8_t> head);
// Mono or stereo, which one decoder gives as it is.
bool opus_head_is_plain (std::span<const std::uint8_t> head);
// How many streams are in each packet; of one without a fault.
unsigned opus_head_streams (std::span<const std::uint8_t> head);
// What in it keeps its sound from being decoded and mixed, as the middle of a sentence; empty:
// nothing.
std::string opus_head_fault (std::span<const std::uint8_t> head);

}  // namespace agora
