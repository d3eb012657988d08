// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Keeps a mix within full scale, without latency: each block is known whole before it is given out,
// so that the gain falls before a peak of the same block, 5 ms long where there is so much, and
// never later than at the peak. It rises again slowly. While nothing exceeds full scale, and the
// gain is back at 1, samples are not touched. All channels have one gain, so that nobody moves.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <vector>

namespace agora {

class Limiter {
 public:
  // `frames` interleaved frames, in place. What is no number becomes silence.
  void limit (float *samples, std::size_t frames, int channels, int rate);
  void reset () {
    gain_ = 1;
    hold_ = 0;
  }

  // Of the last sample.
  float gain () const { return gain_; }

 private:
  void release (int rate);
  void attack (int rate);

  float gain_ = 1;
  std::size_t hold_ = 0;      // frames for which the gain does not rise
  std::vector<float> most_;   // for each frame of the block: the gain may not be above it
  std::vector<float> gains_;  // and the gain itself
};

}  // namespace agora
