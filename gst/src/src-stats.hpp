// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What agorasrc says of its speakers in figures: the property `stats`, and the message
// `agora-level`.
//
// Both hold the field `speakers`, a GValueArray of GstStructure. It is deprecated in GLib, but it
// is the one list of structures that every language binding can read: GST_TYPE_LIST needs
// GStreamer's own overrides, which exist for Python alone.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gst/membership/member-report.hpp"
#include "gst/mix/mixer.hpp"

namespace agora {

// Of those who have one.
using SpeakerNames = std::map<std::uint32_t, std::string>;

// Field `name` (string), where the speaker has one.
void set_name (GstStructure *structure, const SpeakerNames &names, std::uint32_t uid);

// "agorasrc-stats" with one structure for each speaker that is in the mix now. `pipeline_latency`
// is what a sink adds to the time for which sound is held back. Any thread.
GstStructure *make_src_stats (const Mixer &mixer, GstClockTime pipeline_latency,
                              const SpeakerNames &names);

// "agora-level" with `running-time` (uint64, ns) and for each speaker `uid` (uint), `peak` and
// `rms` (double, dB of full scale) since the last call. Any thread.
GstStructure *make_level (Mixer &mixer, GstClockTime running_time, const SpeakerNames &names);

// The same for the operator, without those that are there already: another agorasrc of this member
// hears them, too. Levels are those since the last call. Any thread.
void add_figures (Mixer &mixer, GstClockTime pipeline_latency, std::vector<HeardFigures> &figures);

}  // namespace agora
