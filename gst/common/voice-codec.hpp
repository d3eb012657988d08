// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The codecs that a voice may travel in, under the names that members and gateway have for them.
#pragma once

#include <gst/gst.h>

#include <array>
#include <cstring>
#include <optional>
#include <set>

namespace agora {

enum class VoiceCodec { aac, opus };
using VoiceCodecs = std::set<VoiceCodec>;

inline constexpr std::array<VoiceCodec, 2> kVoiceCodecs = {VoiceCodec::aac, VoiceCodec::opus};

constexpr const char *name_of (VoiceCodec codec) {
  return codec == VoiceCodec::opus ? "opus" : "aac";
}

inline std::optional<VoiceCodec> voice_codec (const char *name) {
  for (const VoiceCodec each : kVoiceCodecs)
    if (std::strcmp(name, name_of(each)) == 0)
      return each;
  return std::nullopt;
}

inline bool is_opus (const GstCaps *caps) {
  return gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-opus");
}

}  // namespace agora
