// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How often a cue sheet is written without news: a new file and its name cost the disk's thread
// more than the sound does.
#pragma once

#include <cstddef>

namespace agora::recorder {

class SheetPace {
 public:
  // Once a second. Whether a sheet that had so many bytes is written for its progress alone.
  bool due (std::size_t bytes) { return seconds_++ % (bytes < kLarge ? kEvery : kLargeEvery) == 0; }

 private:
  static constexpr unsigned kEvery = 4;
  static constexpr std::size_t kLarge = 64 << 10;
  static constexpr unsigned kLargeEvery = 10;

  unsigned seconds_ = 0;
};

}  // namespace agora::recorder
