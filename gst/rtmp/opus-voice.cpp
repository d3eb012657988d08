// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/opus-voice.hpp"

#include <opus.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace agora {

namespace {

// All at 48 kHz. libopus makes up multiples of 2.5 ms, and the longest packet at once.
constexpr unsigned least_piece = 120;
constexpr unsigned most_packet = 5760;
// What is made up in one go, as of lost packets of the usual length.
constexpr unsigned usual_packet = 960;

std::size_t words (std::size_t bytes) {
  return (bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
}

class OpusConcealment final : public Concealment {
 public:
  explicit OpusConcealment(const OpusState &state)
      : state_(state), samples_(std::size_t{usual_packet} * state.channels()) {}

  void make_up (float *samples, std::size_t frames) override {
    const auto channels = static_cast<std::size_t>(state_.channels());
    while (frames > 0) {
      if (at_ == end_ && !more()) {
        std::fill_n(samples, frames * channels, 0.F);
        return;
      }
      const std::size_t n = std::min(frames, end_ - at_);
      std::copy_n(samples_.data() + at_ * channels, n * channels, samples);
      at_ += n;
      samples += n * channels;
      frames -= n;
    }
  }

 private:
  bool more () {
    const int made = opus_decode_float(state_.get(), nullptr, 0, samples_.data(), usual_packet, 0);
    at_ = 0;
    end_ = static_cast<std::size_t>(std::max(made, 0));
    return made > 0;
  }

  OpusState state_;
  std::vector<float> samples_;
  std::size_t at_ = 0, end_ = 0;  // frames of it that aren't given yet
};

class OpusContinuation final : public Continuation {
 public:
  explicit OpusContinuation(const OpusState &state) : state_(state) {}
  std::unique_ptr<Concealment> begin () const override {
    return std::make_unique<OpusConcealment>(state_);
  }

 private:
  const OpusState state_;
};

}  // namespace

OpusState::OpusState(int channels, int gain)
    : channels_(channels),
      size_(static_cast<std::size_t>(opus_decoder_get_size(channels))),
      memory_(new std::max_align_t[words(size_)]) {
  opus_decoder_init(get(), OpusVoice::kRate, channels);
  opus_decoder_ctl(get(), OPUS_SET_GAIN(gain));
}

OpusState::OpusState(const OpusState &other)
    : channels_(other.channels_),
      size_(other.size_),
      memory_(new std::max_align_t[words(other.size_)]) {
  std::memcpy(memory_.get(), other.memory_.get(), size_);
}

OpusState &OpusState::operator=(const OpusState &other) {
  if (this != &other) {
    OpusState copy(other);
    std::swap(channels_, copy.channels_);
    std::swap(size_, copy.size_);
    memory_.swap(copy.memory_);
  }
  return *this;
}

OpusDecoder *OpusState::get() {
  return reinterpret_cast<OpusDecoder *>(memory_.get());
}

OpusVoice::OpusVoice(int channels, int gain)
    : state_(channels, gain), samples_(std::size_t{most_packet} * channels) {
}

void OpusVoice::reset() {
  opus_decoder_ctl(state_.get(), OPUS_RESET_STATE);
}

std::optional<OpusVoice::Sound> OpusVoice::decode(std::span<const std::uint8_t> bytes,
                                                  const OpusPacket &packet, unsigned missing) {
  std::optional<OpusState> before;
  if (missing > 0)
    before.emplace(state_);
  const int frames =
      opus_decode_float(state_.get(), bytes.data(), static_cast<opus_int32>(bytes.size()),
                        samples_.data(), most_packet, 0);
  if (frames <= 0)
    return std::nullopt;
  Sound sound = {samples_.data(), static_cast<std::size_t>(frames), {}};
  if (before) {
    sound.context.before = mend(std::move(*before), bytes, packet, missing);
    sound.context.mended = sound.context.before > 0 ? mended_.data() : nullptr;
    sound.context.restored = packet.has_fec ? packet.samples / packet.frames : 0;
  }
  sound.context.after = std::make_shared<OpusContinuation>(state_);
  sound.context.rests = packet.rests;
  return sound;
}

// How many frames of what is missing there are in mended_, with the packet behind them. libopus
// makes up what FEC doesn't have.
std::size_t OpusVoice::mend(OpusState state, std::span<const std::uint8_t> bytes,
                            const OpusPacket &packet, unsigned missing) {
  unsigned length = (missing + least_piece - 1) / least_piece * least_piece;
  if (length > most_packet) {
    // Too long to be made up: the end alone, where the packet has it.
    if (!packet.has_fec)
      return 0;
    length = packet.samples / packet.frames;
  }
  mended_.resize(std::size_t{most_packet} * 2 * channels());
  const auto size = static_cast<opus_int32>(bytes.size());
  const int made = opus_decode_float(state.get(), bytes.data(), size, mended_.data(),
                                     static_cast<int>(length), 1);
  if (made != static_cast<int>(length))
    return 0;
  const int frames =
      opus_decode_float(state.get(), bytes.data(), size,
                        mended_.data() + std::size_t{length} * channels(), most_packet, 0);
  return frames > 0 ? length : 0;
}

}  // namespace agora
