// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/mix/voice-monitor.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace agora {

void VoiceMonitor::look_for_silence(const MonitorSettings &settings, const float *in, int channels,
                                    std::size_t frames) {
  float peak = 0;
  for (std::size_t i = 0; in && i < frames * static_cast<std::size_t>(channels); i++)
    peak = std::max(peak, std::fabs(in[i]));
  if (peak > settings.silence_below) {
    if (std::exchange(silent_, false))
      change_ = SilenceChange{false, silent_ns_};
    silent_ns_ = 0;
    return;
  }
  silent_ns_ += static_cast<std::int64_t>(frames) * 1'000'000'000 / rate_;
  if (!silent_ && silent_ns_ >= settings.silence_ns) {
    silent_ = true;
    change_ = SilenceChange{true, silent_ns_};
  }
}

void VoiceMonitor::hear(const MonitorSettings &settings, const float *in, int channels,
                        std::size_t frames) {
  if (settings.silence_ns > 0)
    look_for_silence(settings, in, channels, frames);
  if (settings.measures())
    meter_.hear(in, channels, frames);
  if (settings.target >= 0) {
    gain_ = 1;
    return;
  }
  const double seconds = static_cast<double>(frames) / rate_;
  until_step_ -= seconds;
  if (until_step_ <= 0) {
    until_step_ += AutoGain::kStep;
    auto_gain_.hear(meter_.momentary());
  }
  gain_ = static_cast<float>(auto_gain_.move(settings.target, seconds));
}

std::optional<SilenceChange> VoiceMonitor::end() {
  const bool silent = std::exchange(silent_, false);
  const auto untold = take_change();
  // Nobody knows of its beginning, or this is its end.
  if (untold)
    return untold->silent ? std::nullopt : untold;
  return silent ? std::optional(SilenceChange{false, silent_ns_}) : std::nullopt;
}

std::optional<SilenceChange> VoiceMonitor::take_change() {
  return std::exchange(change_, std::nullopt);
}

}  // namespace agora
