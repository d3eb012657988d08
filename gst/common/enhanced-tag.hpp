// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The audio tags of Enhanced RTMP (version 2), whatever their codec: the body of one tag, read.
// Pure.
//
// A body begins with 0x9 and its type, then come four letters, which name the codec, and what the
// type says. Before the letters there may be modifiers, which are skipped, and the head of several
// tracks, of which the first one (track 0) counts: it is what a player without choice plays.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace agora {

// SoundFormat of Enhanced RTMP: a body's upper four bits.
inline constexpr unsigned kEnhancedFormat = 9;

using FourLetters = std::array<std::uint8_t, 4>;

struct EnhancedTag {
  // AudioPacketType.
  enum Type : unsigned {
    sequence_start = 0,
    coded_frames = 1,
    sequence_end = 2,
    multichannel_config = 4,
    multitrack = 5,
    modifier = 7,
  };
  enum class Kind {
    foreign,  // not in this way
    plain,    // of one track, or its first one
    ignored,  // of another track, or of tracks in a way that is not known yet
    refused,  // cut off
  };
  Kind kind = Kind::foreign;
  unsigned type = 0;
  FourLetters letters = {};
  std::span<const std::uint8_t> data = {};  // within what was read

  static EnhancedTag read (std::span<const std::uint8_t> body);
};

}  // namespace agora
