// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The gain that brings a voice to a loudness. It goes by what was said, not by pauses, and moves so
// slowly that nobody hears it move.
#pragma once

#include <algorithm>
#include <cmath>

namespace agora {

class AutoGain {
 public:
  // What it does at most, so that noise doesn't become a voice.
  static constexpr double kMost = 15;  // dB
  // In dB a second.
  static constexpr double kRise = 2;
  static constexpr double kFall = 6;
  // How often hear() is to be called.
  static constexpr double kStep = 0.1;  // seconds

  // The loudness of the last 0.4 s. What is far below what was said before is a pause.
  void hear (double momentary) {
    constexpr double floor = -50, pause = -12;
    if (momentary < floor || (heard_ > 0 && momentary < level() + pause))
      return;
    // The mean of the first seconds, then of the last few.
    heard_ += kStep;
    const double share = std::max(kStep / heard_, kStep / kMemory);
    power_ += (std::pow(10, momentary / 10) - power_) * share;
  }

  // `target` in LUFS: the gain `seconds` later, linear.
  double move (double target, double seconds) {
    // The first word is over, or nothing was said.
    if (heard_ >= kFirst) {
      const double wanted = std::clamp(target - level(), -kMost, kMost);
      gain_ += std::clamp(wanted - gain_, -kFall * seconds, kRise * seconds);
    }
    return std::pow(10, gain_ / 20);
  }

  double gain_db () const { return gain_; }

 private:
  static constexpr double kMemory = 6;   // seconds of voice
  static constexpr double kFirst = 0.4;  // seconds of voice

  double level () const { return 10 * std::log10(std::max(power_, 1e-20)); }

  double power_ = 0;
  double heard_ = 0;  // seconds of voice
  double gain_ = 0;   // dB
};

}  // namespace agora
