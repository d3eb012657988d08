// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Loudness by EBU R 128, of stereo sound; mono counts as heard from both sides. libebur128
// measures, in memory that doesn't grow with time.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace agora {

// In LUFS; kSilent where there is nothing.
struct Loudness {
  static constexpr double kSilent = -200;
  double momentary = kSilent;   // of the last 0.4 s
  double short_term = kSilent;  // of the last 3 s
  double integrated = kSilent;  // since the beginning, without pauses
};

class LoudnessMeter {
 public:
  explicit LoudnessMeter(int rate);
  // One or two channels. Null: silence.
  void hear (const float *in, int channels, std::size_t frames);
  Loudness loudness () const;
  double momentary () const;

 private:
  struct Destroy {
    void operator()(void *state) const noexcept;
  };
  // The library's, whose type has no name to declare here. Null: out of memory; measures nothing.
  std::unique_ptr<void, Destroy> state_;
  std::vector<float> stereo_;
};

}  // namespace agora
