// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How much the programme is lowered while somebody talks to this listener alone. Block by block;
// the mixer slides from one block's gain to the next one's. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace agora {

class Ducker {
 public:
  // By how many dB; 0: not at all.
  void set_depth (double db) { depth_db_ = db; }
  // Whether it costs anything: it is wanted, or is still on its way back.
  bool on () const { return depth_db_ > 0 || now_db_ > 0; }
  // Of the block that is being made.
  float gain () const {
    return now_db_ > 0 ? static_cast<float>(std::pow(10.0, -now_db_ / 20)) : 1.F;
  }
  // A block of the talkback, interleaved: speech, not what a quiet room sends.
  static bool is_speech (const float *in, int channels, std::size_t frames) {
    double squares = 0;
    for (std::size_t i = 0; i < frames * static_cast<std::size_t>(channels); i++)
      squares += static_cast<double>(in[i]) * in[i];
    return squares > kSpeech * kSpeech * static_cast<double>(frames) * channels;
  }
  // The block has so many seconds, and speech in it, or not.
  void step (bool speech, double seconds) {
    // Not up and down between the words.
    held_s_ = speech ? kHold : std::max(held_s_ - seconds, 0.0);
    const double to = held_s_ > 0 ? depth_db_ : 0;
    now_db_ = to > now_db_ ? std::min(now_db_ + kAttack * seconds, to)
                           : std::max(now_db_ - kRelease * seconds, to);
  }

  static constexpr double kSpeech = 0.0056;  // RMS: -45 dB of full scale
  static constexpr double kHold = 0.6;       // seconds
  static constexpr double kAttack = 150;     // dB a second: 12 dB in 80 ms
  static constexpr double kRelease = 30;     // and back in 400 ms

 private:
  double depth_db_ = 0;
  double now_db_ = 0;
  double held_s_ = 0;
};

}  // namespace agora
