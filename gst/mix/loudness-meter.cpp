// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/loudness-meter.hpp"

#include <ebur128.h>

#include <algorithm>

namespace agora {

namespace {

using Measure = int (*)(ebur128_state *, double *);

double measured (void *state, Measure measure) {
  double value = 0;
  if (!state || measure(static_cast<ebur128_state *>(state), &value) != EBUR128_SUCCESS)
    return Loudness::kSilent;
  return std::max(value, Loudness::kSilent);
}

}  // namespace

void LoudnessMeter::Destroy::operator()(void *state) const noexcept {
  auto *owned = static_cast<ebur128_state *>(state);
  ebur128_destroy(&owned);
}

// A histogram: what it keeps for the gates doesn't grow for days.
LoudnessMeter::LoudnessMeter(int rate)
    : state_(ebur128_init(2, static_cast<unsigned long>(rate),
                          EBUR128_MODE_I | EBUR128_MODE_S | EBUR128_MODE_HISTOGRAM)) {
}

void LoudnessMeter::hear(const float *in, int channels, std::size_t frames) {
  if (!state_)
    return;
  if (!in || channels != 2) {
    stereo_.assign(2 * frames, 0.f);
    for (std::size_t i = 0; in && i < frames; i++)
      stereo_[2 * i] = stereo_[2 * i + 1] = in[i];
    in = stereo_.data();
  }
  ebur128_add_frames_float(static_cast<ebur128_state *>(state_.get()), in, frames);
}

double LoudnessMeter::momentary() const {
  return measured(state_.get(), ebur128_loudness_momentary);
}

Loudness LoudnessMeter::loudness() const {
  return {momentary(), measured(state_.get(), ebur128_loudness_shortterm),
          measured(state_.get(), ebur128_loudness_global)};
}

}  // namespace agora
