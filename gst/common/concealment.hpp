// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a decoder can tell of sound that is missing beside the sound that it gives: how it would go
// on, and what was before.
#pragma once

#include <cstddef>
#include <memory>

namespace agora {

// A decoder's packet loss concealment, going on. For one thread.
class Concealment {
 public:
  virtual ~Concealment() = default;
  // Makes up the next `frames` frames, interleaved, in as many channels and at the rate of the
  // sound that it goes on from.
  virtual void make_up (float *samples, std::size_t frames) = 0;
};

// A decoder at the end of a piece of sound. Making up anything from here leaves the decoder itself
// alone: what is late and not lost is decoded as if nothing had been made up. Never changes, so
// that any thread may have it.
class Continuation {
 public:
  virtual ~Continuation() = default;
  virtual std::unique_ptr<Concealment> begin () const = 0;
};

// What there is to say beside a piece of sound.
struct SoundContext {
  // Where what was before it is missing: so many frames before it, and then itself as it sounds
  // after them. nullptr: nothing is known.
  const float *mended = nullptr;
  std::size_t before = 0;
  // The last ones of those are the sender's own, and not made up.
  std::size_t restored = 0;
  // nullptr: the codec makes nothing up.
  std::shared_ptr<const Continuation> after;
  // The sender has nothing to say for now (DTX): what doesn't come is not missing.
  bool rests = false;
};

}  // namespace agora
