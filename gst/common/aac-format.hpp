// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What AAC caps and the AudioSpecificConfig in them say about each frame: how many samples it
// yields, at which rate. Says so for AAC-LC, HE-AAC, HE-AAC v2, AAC-LD and AAC-ELD.
#pragma once

#include <string>

#include "gst/common/gst-ptr.hpp"

namespace agora {

struct AacFormat {
  // MPEG-4 audio object types (ISO 14496-3, table 1.17) that are named in this project.
  static constexpr int kLc = 2;
  static constexpr int kLd = 23;
  static constexpr int kEld = 39;

  // Of the core where SBR extends it: 2 for HE-AAC.
  int object_type = kLc;
  int rate = 48'000;  // of the decoded sound, as the caps have it
  int channels = 1;
  // In the frames themselves: 1 for HE-AAC v2, whose stereo is made by the decoder; 0 where a
  // program config element tells.
  int core_channels = 1;
  // Samples of the core in a frame, and the core's rate: with SBR twice as many come out, at twice
  // the rate, and last as long.
  int core_samples = 1024;
  int core_rate = 48'000;
  // Spectral band replication is said in so many words (object types 5 and 29).
  bool sbr = false;

  // From caps of raw AAC; the default where they say nothing.
  static AacFormat of (const GstCaps *caps);
  GstClockTime frame_duration () const;
};

bool is_aac (const GstCaps *caps);
// What the configuration in AAC caps is, in words: "xHE-AAC (object type 42), configuration
// f94610". Without one: "AAC".
std::string describe_aac (const GstCaps *caps);
// Why no decoder can take it, as "its AAC has no channels: …"; empty where one may, or where there
// is none.
std::string aac_fault (const GstCaps *caps);

}  // namespace agora
