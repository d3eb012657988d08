// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// An Opus decoder that can say what is missing, too. libopus itself, for two things that no element
// does: to make up sound without the decoder's own state going on, since over TCP what is late is
// seldom lost; and to take a packet's forward error correction (FEC) without holding each packet
// back for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "gst/common/concealment.hpp"
#include "gst/common/opus-packet.hpp"

struct OpusDecoder;

namespace agora {

// A decoder as libopus keeps it: one piece of memory, that is copied as such.
class OpusState {
 public:
  // `channels`: 1 or 2. `gain`: as opus_head_gain() has it.
  OpusState(int channels, int gain);
  OpusState(const OpusState &other);
  OpusState(OpusState &&other) noexcept = default;
  OpusState &operator=(const OpusState &other);

  OpusDecoder *get ();
  int channels () const { return channels_; }

 private:
  int channels_;
  std::size_t size_;
  std::unique_ptr<std::max_align_t[]> memory_;
};

// For one thread.
class OpusVoice {
 public:
  static constexpr int kRate = 48'000;

  struct Sound {
    const float *samples;  // interleaved; valid until the next one
    std::size_t frames;
    SoundContext context;
  };

  OpusVoice(int channels, int gain);

  int channels () const { return state_.channels(); }
  // `packet` is what OpusPacket read of `bytes`. `missing`: so many samples before it are missing,
  // by its timestamp; whether they are is for whoever plays it. Nothing, where libopus refuses it.
  std::optional<Sound> decode (std::span<const std::uint8_t> bytes, const OpusPacket &packet,
                               unsigned missing);
  // What comes next doesn't go on from what came.
  void reset ();

 private:
  std::size_t mend (OpusState before, std::span<const std::uint8_t> bytes, const OpusPacket &packet,
                    unsigned missing);

  OpusState state_;
  std::vector<float> samples_;
  std::vector<float> mended_;
};

}  // namespace agora
