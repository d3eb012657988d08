// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/src-stats.hpp"

#include <algorithm>
#include <cmath>

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

namespace agora {
namespace {

// (transfer full) for `structure`.
void append (GValueArray *array, GstStructure *structure) {
  GValue item = G_VALUE_INIT;
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, structure);
  g_value_array_append(array, &item);
  g_value_unset(&item);
}

// (transfer full) for `array`.
void set_speakers (GstStructure *structure, GValueArray *array) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, g_value_array_get_type());
  g_value_take_boxed(&value, array);
  gst_structure_take_value(structure, "speakers", &value);
}

double decibel (double linear) {
  return 20 * std::log10(std::max(linear, 1e-10));
}

double rms (const Level &level) {
  return level.samples ? std::sqrt(level.square_sum / static_cast<double>(level.samples)) : 0;
}

}  // namespace

void set_name (GstStructure *structure, const SpeakerNames &names, std::uint32_t uid) {
  if (const auto found = names.find(uid); found != names.end())
    gst_structure_set(structure, "name", G_TYPE_STRING, found->second.c_str(), nullptr);
}

GstStructure *make_src_stats (const Mixer &mixer, GstClockTime pipeline_latency,
                              const SpeakerNames &names) {
  GstStructure *stats = gst_structure_new_empty("agorasrc-stats");
  GValueArray *speakers = g_value_array_new(0);
  for (std::uint32_t uid : mixer.uids()) {
    auto timeline = mixer.find(uid);
    if (!timeline)
      continue;
    const PlayoutStats s = timeline->stats();
    GstStructure *one = gst_structure_new(
        "speaker", "uid", G_TYPE_UINT, uid, "late-ms", G_TYPE_UINT64, s.late_ns / GST_MSECOND,
        "dropped-ms", G_TYPE_UINT64, s.dropped_ns / GST_MSECOND, "concealed-ms", G_TYPE_UINT64,
        s.concealed_ns / GST_MSECOND, "underruns", G_TYPE_UINT64, s.underruns, "drift-ppm",
        G_TYPE_DOUBLE, s.drift_ppm, "jitter-ms", G_TYPE_DOUBLE, s.jitter_ms, "queued-ms",
        G_TYPE_DOUBLE, s.queued_ms, "delay-ms", G_TYPE_DOUBLE, s.delay_ms, "codec-delay-ms",
        G_TYPE_DOUBLE, s.codec_delay_ms, nullptr);
    // Both ends' wall clocks make it: on two machines only as good as they are synchronised.
    if (s.stamp_age_ms >= 0)
      gst_structure_set(one, "mouth-to-ear-ms", G_TYPE_DOUBLE,
                        s.stamp_age_ms + static_cast<double>(pipeline_latency) / GST_MSECOND,
                        "mouth-to-ear-needs-synchronised-clocks", G_TYPE_BOOLEAN, TRUE, nullptr);
    set_name(one, names, uid);
    append(speakers, one);
  }
  set_speakers(stats, speakers);
  return stats;
}

GstStructure *make_level (Mixer &mixer, GstClockTime running_time, const SpeakerNames &names) {
  GstStructure *level =
      gst_structure_new("agora-level", "running-time", G_TYPE_UINT64, running_time, nullptr);
  GValueArray *speakers = g_value_array_new(0);
  for (auto &[uid, each] : mixer.take_levels()) {
    GstStructure *one =
        gst_structure_new("speaker", "uid", G_TYPE_UINT, uid, "peak", G_TYPE_DOUBLE,
                          decibel(each.peak), "rms", G_TYPE_DOUBLE, decibel(rms(each)), nullptr);
    set_name(one, names, uid);
    append(speakers, one);
  }
  set_speakers(level, speakers);
  return level;
}

void add_figures (Mixer &mixer, GstClockTime pipeline_latency, std::vector<HeardFigures> &figures) {
  const auto levels = mixer.sample_levels();
  for (const std::uint32_t uid : mixer.uids()) {
    const auto timeline = mixer.find(uid);
    const bool there = std::any_of(figures.begin(), figures.end(),
                                   [&] (const HeardFigures &each) { return each.uid == uid; });
    if (!timeline || there)
      continue;
    const PlayoutStats s = timeline->stats();
    HeardFigures heard;
    heard.uid = uid;
    if (const auto found = levels.find(uid); found != levels.end() && found->second.samples)
      heard.level = VoiceLevel{decibel(found->second.peak), decibel(rms(found->second))};
    heard.delay_ms = s.delay_ms;
    if (s.stamp_age_ms >= 0)
      heard.mouth_to_ear_ms = s.stamp_age_ms + static_cast<double>(pipeline_latency) / GST_MSECOND;
    heard.jitter_ms = s.jitter_ms;
    heard.dropped_ms = s.dropped_ns / GST_MSECOND;
    heard.concealed_ms = s.concealed_ns / GST_MSECOND;
    figures.push_back(heard);
  }
}

}  // namespace agora

G_GNUC_END_IGNORE_DEPRECATIONS
