// SPDX-License-Identifier: LGPL-2.1-or-later
// What goes out in place of a voice: silence, or a file over and over.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// What AAC caps say about each frame.
struct AacFormat {
  int object_type = 2;
  int rate = 48'000;
  int channels = 1;
  int samples = 1024;

  // From caps of raw AAC; the default where they say nothing.
  static AacFormat of (const GstCaps *caps);
  GstClockTime frame_duration () const;
};

// Caps of raw AAC-LC, for when no sound has told yet what it will be.
CapsPtr default_aac_caps ();

// A frame of digital silence for that many channels (1 to 7), or nullptr.
BufferPtr silent_frame (int channels);

// A sound file as AAC frames, to be played over and over.
struct GapClip {
  CapsPtr caps;
  std::vector<BufferPtr> frames;

  // Decodes and encodes it with standard elements; for a thread that may wait. Stops early and
  // gives nothing when `*stop` turns true.
  static bool load (const std::string &path, const std::atomic<bool> &stop, GapClip &clip,
                    GError **error);
};

}  // namespace agora
