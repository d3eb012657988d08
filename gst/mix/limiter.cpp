// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/limiter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace agora {
namespace {

// From a gain of 1 to one of 0, before a peak.
constexpr float kAttack = 0.005f;  // s
// Longer than half a period of the lowest voice or note: a steady tone is made softer, its form
// stays.
constexpr float kHold = 0.05f;  // s
// Then it rises: time constant.
constexpr float kRelease = 0.4f;  // s
constexpr double kSamePeak = 1.001;
// As good as 1.
constexpr double kFull = 0.999;

}  // namespace

void Limiter::limit(float *samples, std::size_t frames, int channels, int rate) {
  const auto step = static_cast<std::size_t>(channels);
  const std::size_t count = frames * step;
  // Sizes compare as their bits do, several at once, and what is no number is above them all.
  std::int32_t peak = 0;
  for (std::size_t i = 0; i < count; i++)
    peak = std::max(peak, std::bit_cast<std::int32_t>(samples[i]) & 0x7fffffff);
  if (peak <= std::bit_cast<std::int32_t>(1.f) && gain_ == 1)
    return;
  if (peak > std::bit_cast<std::int32_t>(std::numeric_limits<float>::max()))
    std::replace_if(
        samples, samples + count, [] (float sample) { return !std::isfinite(sample); }, 0.f);

  most_.resize(frames);
  for (std::size_t i = 0; i < frames; i++) {
    float size = 1;
    for (std::size_t c = 0; c < step; c++)
      size = std::max(size, std::fabs(samples[i * step + c]));
    most_[i] = 1 / size;
  }
  release(rate);
  attack(rate);
  for (std::size_t i = 0; i < frames; i++)
    for (std::size_t c = 0; c < step; c++)
      samples[i * step + c] = std::clamp(samples[i * step + c] * gains_[i], -1.f, 1.f);
  if (frames > 0)
    gain_ = gains_.back();
}

// Falls at once where it has to, and rises slowly.
void Limiter::release(int rate) {
  const auto hold = static_cast<std::size_t>(kHold * static_cast<float>(rate));
  // In floats the last bit of it would be too small to add.
  const double rise = 1 - std::exp(-1 / (static_cast<double>(kRelease) * rate));
  double gain = gain_;
  for (float &most : most_) {
    // A peak as high as the one that set the gain keeps it there.
    if (most <= gain * kSamePeak)
      hold_ = hold;
    else if (hold_ > 0)
      hold_--;
    else
      gain += (1 - gain) * rise;
    if (gain > kFull)
      gain = 1;
    gain = std::min<double>(gain, most);
    most = static_cast<float>(gain);
  }
}

// Falls before it has to: no faster than the attack is, or where the block has no room for that, as
// slowly as can be.
void Limiter::attack(int rate) {
  const std::size_t frames = most_.size();
  const float fall = 1 / (kAttack * static_cast<float>(rate));
  gains_ = most_;
  for (std::size_t i = frames; i-- > 1;)
    gains_[i - 1] = std::min(gains_[i - 1], gains_[i] + fall);
  float gain = gain_;
  for (std::size_t from = 0; from < frames && gains_[from] < gain - fall;) {
    std::size_t to = from;
    float steepest = 0;
    for (std::size_t i = from; i < frames; i++)
      if (const float slope = (gain - most_[i]) / static_cast<float>(i - from + 1);
          slope > steepest) {
        steepest = slope;
        to = i;
      }
    for (std::size_t i = from; i <= to; i++)
      gains_[i] = std::min(gain - steepest * static_cast<float>(i - from + 1), most_[i]);
    gain = most_[to];
    from = to + 1;
  }
}

}  // namespace agora
