// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How an element's sound fares, for the operator of the channel: what the elements of a membership
// fill in together.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace agora {

// Since the last report, in dB of full scale.
struct VoiceLevel {
  double peak_db;
  double rms_db;
};

struct SentFigures {
  std::optional<VoiceLevel> level;  // nothing: what comes in is encoded, or nothing came
  std::uint64_t dropped_ms = 0;
  std::uint64_t outages = 0;
};

struct HeardFigures {
  std::uint32_t uid = 0;
  std::optional<VoiceLevel> level;
  double delay_ms = 0;
  std::optional<double> mouth_to_ear_ms;  // nothing: the speaker doesn't stamp
  double jitter_ms = 0;
  std::uint64_t dropped_ms = 0;
  std::uint64_t concealed_ms = 0;
};

struct MemberReport {
  std::optional<SentFigures> sent;                 // nothing: no element of it speaks
  std::optional<std::vector<HeardFigures>> heard;  // nothing: none listens
};

}  // namespace agora
