// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How loud raw sound is that passes a pad.
#pragma once

#include <gst/audio/audio.h>
#include <gst/gst.h>

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "gst/membership/member-report.hpp"

namespace agora {

class InputLevel {
 public:
  // Measures what passes from now on, for as long as the pad lives.
  static void watch (GstPad *pad, const std::shared_ptr<InputLevel> &level);

  // Since the last call; nothing: nothing passed. The first call begins it: nothing is measured for
  // nobody. Any thread.
  std::optional<VoiceLevel> take ();

 private:
  // Streaming thread.
  void caps (const GstCaps *caps);
  void measure (GstBuffer *buffer);
  template <typename Sample>
  void add (const GstAudioBuffer &mapped, std::vector<Sample> &samples, double full_scale);

  // Streaming thread. Formats unpack to either kind of samples.
  GstAudioInfo info_;
  bool known_ = false;
  std::vector<gint32> whole_;
  std::vector<double> real_;

  std::mutex mutex_;  // guards all below; a leaf
  bool wanted_ = false;
  double peak_ = 0;
  double square_sum_ = 0;
  std::size_t count_ = 0;
};

}  // namespace agora
