// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a tone's sound is not the tone: a click has a bit of every frequency.
#pragma once

#include <gst/fft/gstfftf32.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace agora::test {

// Power within `around` of `hertz`, and of all the rest.
struct Power {
  double tone = 0, rest = 0;
};

inline Power power_of (std::vector<float> sound, int rate, double hertz, double around) {
  const auto n =
      static_cast<std::size_t>(gst_fft_next_fast_length(static_cast<gint>(sound.size())));
  // Its side lobes are far below what is looked for.
  for (std::size_t i = 0; i < sound.size(); i++) {
    const double x = 2 * M_PI * static_cast<double>(i) / static_cast<double>(sound.size());
    sound[i] *= static_cast<float>(0.35875 - 0.48829 * cos(x) + 0.14128 * cos(2 * x) -
                                   0.01168 * cos(3 * x));
  }
  sound.resize(n);
  std::vector<GstFFTF32Complex> spectrum(n / 2 + 1);
  GstFFTF32 *fft = gst_fft_f32_new(static_cast<gint>(n), FALSE);
  gst_fft_f32_fft(fft, sound.data(), spectrum.data());
  gst_fft_f32_free(fft);
  Power power;
  for (std::size_t i = 0; i <= n / 2; i++) {
    const double p = spectrum[i].r * spectrum[i].r + spectrum[i].i * spectrum[i].i;
    const double at = static_cast<double>(i) * rate / static_cast<double>(n);
    (std::fabs(at - hertz) <= around ? power.tone : power.rest) += p;
  }
  return power;
}

}  // namespace agora::test
