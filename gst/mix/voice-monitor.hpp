// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What is noticed of one speaker, or of the mix, while it is heard: dead air, loudness, and the
// gain that brings it to a target. Only made where somebody wants to know; under the mixer's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "gst/mix/auto-gain.hpp"
#include "gst/mix/loudness-meter.hpp"

namespace agora {

struct MonitorSettings {
  double silence_below = 0.001;  // linear
  std::int64_t silence_ns = 0;   // 0: isn't looked for
  bool loudness = false;
  double target = 0;  // LUFS; 0: the gain stays

  bool operator==(const MonitorSettings &) const = default;
  bool measures () const { return loudness || target < 0; }
  bool on () const { return silence_ns > 0 || measures(); }
};

// It is silent for as long as was asked for, or no longer.
struct SilenceChange {
  bool silent;
  std::int64_t duration_ns;
};

class VoiceMonitor {
 public:
  explicit VoiceMonitor(int rate) : rate_(rate), meter_(rate) {}

  // Null: silence.
  void hear (const MonitorSettings &settings, const float *in, int channels, std::size_t frames);
  // Linear; 1 unless it is set to a target.
  float gain () const { return gain_; }
  std::optional<SilenceChange> take_change ();
  // Of what is no longer watched: the end of a silence whose beginning was told.
  std::optional<SilenceChange> end ();
  Loudness loudness () const { return meter_.loudness(); }

 private:
  void look_for_silence (const MonitorSettings &settings, const float *in, int channels,
                         std::size_t frames);

  const int rate_;
  LoudnessMeter meter_;
  AutoGain auto_gain_;
  double until_step_ = AutoGain::kStep;
  float gain_ = 1;
  std::int64_t silent_ns_ = 0;  // so far
  bool silent_ = false;         // and told
  std::optional<SilenceChange> change_;
};

}  // namespace agora
