// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the command line asks of agora-recorder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace agora::recorder {

enum class Format {
  wav,
  flac,
  mka,   // Opus or AAC as it was sent, and so are the next two
  ogg,   // Opus alone
  adts,  // AAC alone
};

// All tracks have one rate, whatever their speakers send.
constexpr int kRate = 48000;
constexpr int kMixChannels = 2;

struct Options {
  std::string uri;  // agora://…, in place of the next three
  std::string gateway;
  std::string app_id;
  std::string channel;
  std::string token;
  std::string ca_file;
  std::uint32_t uid = 0;

  std::string folder = ".";
  Format format = Format::wav;
  int channels = 1;
  int depth = 16;
  bool mix = false;
  std::int64_t rotate_s = 0;    // 0: never
  std::int64_t duration_s = 0;  // 0: until a signal
  std::uint32_t max_speakers = 64;
  std::uint64_t min_free = 64 << 20;  // bytes
  std::uint32_t latency_ms = 1000;

  bool coded () const { return format != Format::wav && format != Format::flac; }
  const char *extension () const;
};

// The options; none: it is over, with `status`. What is wrong is said on standard error.
std::optional<Options> read_options (int count, char **words, int &status);

}  // namespace agora::recorder
