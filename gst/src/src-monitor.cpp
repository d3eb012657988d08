// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/src-monitor.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

// GValueArray, which every language binding reads.
G_GNUC_BEGIN_IGNORE_DEPRECATIONS

namespace agora {
namespace {

void set (GstStructure *structure, const Loudness &loudness) {
  gst_structure_set(structure, "momentary", G_TYPE_DOUBLE, loudness.momentary, "short-term",
                    G_TYPE_DOUBLE, loudness.short_term, "integrated", G_TYPE_DOUBLE,
                    loudness.integrated, nullptr);
}

void append (GValueArray *array, std::uint32_t uid, const Loudness &loudness,
             const SpeakerNames &names) {
  GstStructure *one = gst_structure_new("speaker", "uid", G_TYPE_UINT, uid, nullptr);
  set(one, loudness);
  set_name(one, names, uid);
  GValue item = G_VALUE_INIT;
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, one);
  g_value_array_append(array, &item);
  g_value_unset(&item);
}

GstStructure *make_loudness (const Mixer &mixer, GstClockTime now, const SpeakerNames &names) {
  GstStructure *news =
      gst_structure_new("agora-loudness", "running-time", G_TYPE_UINT64, now, nullptr);
  GValueArray *speakers = g_value_array_new(0);
  for (const auto &[uid, loudness] : mixer.loudness()) {
    if (uid)
      append(speakers, *uid, loudness, names);
    else
      set(news, loudness);
  }
  GValue value = G_VALUE_INIT;
  g_value_init(&value, g_value_array_get_type());
  g_value_take_boxed(&value, speakers);
  gst_structure_take_value(news, "speakers", &value);
  return news;
}

void post_structure (GstElement *element, GstStructure *news) {
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), news));
}

}  // namespace

MonitorSettings monitor_settings (const SrcSettings &settings, GstClockTime loudness_interval) {
  MonitorSettings monitor;
  monitor.silence_below = std::pow(10, settings.silence_threshold_db / 20);
  monitor.silence_ns = static_cast<std::int64_t>(settings.silence_time);
  monitor.loudness = loudness_interval > 0;
  monitor.target = settings.loudness_target;
  return monitor;
}

void MonitorNews::post(GstElement *element, const SrcSettingsStore &settings, Mixer &mixer,
                       GstClockTime now, const Names &names) {
  // Of a thousand speakers they are a copy that takes its time: once, however many fall silent.
  std::optional<SpeakerNames> copy;
  const auto known = [&] () -> const SpeakerNames & {
    if (!copy)
      copy = names();
    return *copy;
  };
  // Also where nobody looks any more: what was told of has an end.
  for (const auto &[uid, change] : mixer.take_silences()) {
    GstStructure *news =
        gst_structure_new("agora-silence", "running-time", G_TYPE_UINT64, now, "silent",
                          G_TYPE_BOOLEAN, change.silent, "duration", G_TYPE_UINT64,
                          static_cast<guint64>(change.duration_ns), nullptr);
    if (uid) {
      gst_structure_set(news, "uid", G_TYPE_UINT, *uid, nullptr);
      set_name(news, known(), *uid);
    }
    post_structure(element, news);
  }
  const GstClockTime interval = settings.loudness_interval();
  // As of levels: running time that began anew isn't waited for.
  if (interval == 0 || (now < next_loudness_ && next_loudness_ <= now + interval))
    return;
  next_loudness_ = std::clamp(next_loudness_ + interval, now, now + interval);
  post_structure(element, make_loudness(mixer, now, known()));
}

void install_monitor_settings (GObjectClass *klass) {
  const SrcSettings defaults;
  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_MUTABLE_PLAYING);
  /**
   * GstAgoraSrc:silence-threshold:
   *
   * What is below so many dB of full scale, by its peak, is silence for
   * #GstAgoraSrc:silence-time.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kSilenceThreshold,
      g_param_spec_double(
          "silence-threshold", "Silence threshold",
          "Peak in dB of full scale below which silence-time counts sound as silence, such as -50 "
          "where the room is heard",
          -120, 0, defaults.silence_threshold_db, live));
  /**
   * GstAgoraSrc:silence-time:
   *
   * After so many nanoseconds of silence of a speaker who is on the air, or of the whole mix, a
   * message `agora-silence` tells of it; another one when it is over, or the speaker goes, or it
   * isn't watched any more. 0: nothing is watched.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kSilenceTime,
      g_param_spec_uint64("silence-time", "Silence time",
                          "Nanoseconds of silence, of a speaker on the air or of the mix, after "
                          "which a message agora-silence is posted, such as 5000000000 (0: never)",
                          0, G_MAXINT64, defaults.silence_time, live));
  /**
   * GstAgoraSrc:loudness-interval:
   *
   * The time in nanoseconds between two messages `agora-loudness`: EBU R 128, of each speaker
   * before its fader, and of the mix. 0: none, and nothing is measured.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kLoudnessInterval,
      g_param_spec_uint64(
          "loudness-interval", "Loudness interval",
          "Nanoseconds between messages agora-loudness with the loudness by EBU R 128 in LUFS of "
          "each speaker and of the mix, such as 1000000000 (0: no messages)",
          0, G_MAXINT64, 0, live));
  /**
   * GstAgoraSrc:loudness-target:
   *
   * The loudness in LUFS to which each speaker is brought in the mix, by 15 dB at most; mono
   * counts as heard from both sides. The gain moves by 2 dB a second up and 6 dB down, and stays
   * in pauses. 0: each is as loud as sent.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kLoudnessTarget,
      g_param_spec_double("loudness-target", "Loudness target",
                          "Loudness in LUFS to which each speaker is brought slowly, by 15 dB at "
                          "most, such as -23 or -16 (0: each is as loud as sent)",
                          -60, 0, defaults.loudness_target, live));
}

}  // namespace agora

G_GNUC_END_IGNORE_DEPRECATIONS
