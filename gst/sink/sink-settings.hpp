// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The properties of agorasink that agorasrc doesn't have.
#pragma once

#include <gst/gst.h>

#include <string>

#include "gst/common/channel-settings.hpp"
#include "gst/common/uid-list.hpp"

namespace agora {

enum class OnGap { silence, file, end };
enum class CodecChoice { automatic, aac, opus };

enum SinkProperty : guint {
  kBitrate = kSettingsEnd,
  kLowDelay,
  kMuted,
  kMaxBacklog,
  kOnGap,
  kGapLocation,
  kGapTimeout,
  kPushUrl,
  kCodec,
  kTalkTo,
  // Those of GstBaseSink.
  kSync,
  kAsync,
  kQos,
  kTsOffset,
  kRenderDelay,
  kMaxLateness,
};

// Properties of the frame sink, under the same names.
constexpr bool is_base_property (guint id) {
  return id >= kSync && id <= kMaxLateness;
}

// What is read once, at the start.
struct SinkSettings {
  unsigned bitrate = 0;
  bool low_delay = false;
  unsigned gap_timeout_ms = 1000;
  OnGap on_gap = OnGap::silence;
  std::string gap_location;
  CodecChoice codec = CodecChoice::aac;
  UidList talk_to;          // none: everybody
  std::string bad_talk_to;  // what was set instead of such a list, before the start
};

// What the element keeps; its OBJECT_LOCK guards it.
class SinkSettingsStore {
 public:
  // Whether `id` was one of ours.
  bool set (GObject *element, guint id, const GValue *value);
  bool get (GObject *element, guint id, GValue *value) const;
  // The new list; nothing for a text that is none. Such a text makes the next start fail, unless
  // the element is `started`: then the last list stays.
  std::optional<UidList> set_talk_to (GObject *element, const char *text, bool started);
  SinkSettings copy (GObject *element) const;

 private:
  SinkSettings settings_;
};

// The text for people about `talk-to`, with a %s for what was set.
inline constexpr const char *kNotAddressees =
    "talk-to: “%s” is not a list of at most 16 uids: numbers from 1 to 4294967295, separated by "
    "commas";

void install_sink_settings (GObjectClass *klass);
GType on_gap_type ();
GType codec_choice_type ();

}  // namespace agora
