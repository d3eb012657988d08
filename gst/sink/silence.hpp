// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What goes out in place of a voice: silence, or a file over and over.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "gst/common/aac-format.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/voice-codec.hpp"

namespace agora {

// Caps of raw AAC-LC, for when no sound has told yet what it will be.
CapsPtr default_aac_caps ();

// A frame of digital silence in that format, or nullptr: only AAC-LC and its kin (with or without
// SBR) have one here, for 1 to 6 and for 8 channels.
BufferPtr silent_frame (const AacFormat &format);

// The same for Opus, in mono or stereo; of a length that packets have, up to 120 ms.
CapsPtr default_opus_caps ();
BufferPtr silent_packet (const GstCaps *caps, GstClockTime duration);

// A sound file as frames of each codec that may be sent, to be played over and over.
class GapClip {
 public:
  struct Frame {
    BufferPtr buffer;
    GstClockTime duration;
  };
  struct Encoded {
    CapsPtr caps;
    std::vector<Frame> frames;  // none: it was not loaded in this codec
  };

  // Decodes and encodes it with standard elements, AAC at `aac_rate`; for a thread that may wait.
  // Stops early and gives nothing when `stop` turns true.
  bool load (const std::string &path, const VoiceCodecs &codecs, int aac_rate,
             const std::atomic<bool> &stop, GError **error);
  const Encoded &of (VoiceCodec codec) const { return of_codec_[static_cast<std::size_t>(codec)]; }

 private:
  std::array<Encoded, kVoiceCodecs.size()> of_codec_;
};

}  // namespace agora
