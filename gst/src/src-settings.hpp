// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The properties of agorasrc that agorasink doesn't have.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "gst/common/channel-settings.hpp"

namespace agora {

enum SrcProperty : guint {
  kLatency = kSettingsEnd,
  kAdaptiveLatency,
  kFastStart,
  kExposeSpeakers,
  kSpeakerTimeout,
  kSpeakers,
  kLevelInterval,
  kLimiter,
  kDuck,
  kSilenceThreshold,
  kSilenceTime,
  kLoudnessInterval,
  kLoudnessTarget,
};

struct SrcSettings {
  guint latency_ms = 100;
  bool adaptive = false;
  bool fast_start = false;
  bool expose = false;
  guint speaker_timeout_s = 20;
  bool limiter = true;
  double duck_db = 0;  // 0: nothing is lowered
  double silence_threshold_db = -60;
  GstClockTime silence_time = 0;  // 0: isn't looked for
  double loudness_target = 0;
  std::set<std::uint32_t> speakers;  // empty: all
  std::string bad_speakers;          // what was set instead of a list, before the start
};

// What the element keeps; its OBJECT_LOCK guards it.
class SrcSettingsStore {
 public:
  // Whether `id` was one of ours.
  bool set (GObject *element, guint id, const GValue *value);
  bool get (GObject *element, guint id, GValue *value) const;
  // The new list; nullopt for a text that is none. Such a text makes the next start fail, unless
  // the element is `started`: then the last list stays.
  std::optional<std::set<std::uint32_t>> set_speakers (GObject *element, const char *text,
                                                       bool started);
  SrcSettings copy (GObject *element) const;
  // Also without the lock: the mix looks at it with each block.
  GstClockTime level_interval () const { return level_interval_; }
  GstClockTime loudness_interval () const { return loudness_interval_; }

 private:
  bool set_monitor (guint id, const GValue *value);
  bool get_monitor (guint id, GValue *value) const;

  SrcSettings settings_;
  std::atomic<GstClockTime> level_interval_ = 0;
  std::atomic<GstClockTime> loudness_interval_ = 0;
};

void install_src_settings (GObjectClass *klass);

// A warning where the times of messages were most likely meant in another unit.
void look_at_times (GstElement *element, const SrcSettingsStore &settings);

// The text for people about `speakers`, with a %s for what was set.
inline constexpr const char *kNotUids =
    "speakers: “%s” is not a list of uids: numbers from 1 to 4294967295, separated by commas";

}  // namespace agora
