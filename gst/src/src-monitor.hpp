// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What agorasrc watches of its speakers and its mix where it is asked to: dead air and loudness, as
// element messages, and the gain to a target.
#pragma once

#include <gst/gst.h>

#include <functional>

#include "gst/mix/mixer.hpp"
#include "gst/src/src-settings.hpp"
#include "gst/src/src-stats.hpp"

namespace agora {

void install_monitor_settings (GObjectClass *klass);

// What the mixer is to do.
MonitorSettings monitor_settings (const SrcSettings &settings, GstClockTime loudness_interval);

// With each block of the mix: posts what there is to tell at running time `now`, of speakers by the
// names that `names` tells when it is needed.
class MonitorNews {
 public:
  using Names = std::function<SpeakerNames()>;
  void reset () { next_loudness_ = 0; }
  void post (GstElement *element, const SrcSettingsStore &settings, Mixer &mixer, GstClockTime now,
             const Names &names);

 private:
  GstClockTime next_loudness_ = 0;  // streaming thread of the mix
};

}  // namespace agora
