// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What this process takes of the machine.
#pragma once

#include <cstdint>

namespace agora::gateway {

struct ProcessFigures {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t most_descriptors = 0;
  std::int64_t started_at = 0;  // wall clock, seconds
};

class Process {
 public:
  Process();
  // Strangers may ask: it is looked at once a second at most.
  const ProcessFigures &figures (std::int64_t mono_ms);

 private:
  ProcessFigures last_;
  std::int64_t looked_ms_ = -1'000;
};

}  // namespace agora::gateway
