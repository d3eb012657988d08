// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/src-settings.hpp"

#include <utility>

#include "gst/common/object-lock.hpp"
#include "gst/common/uid-list.hpp"
#include "gst/src/src-monitor.hpp"

namespace agora {

bool SrcSettingsStore::set(GObject *element, guint id, const GValue *value) {
  const ObjectLock lock(element);
  switch (id) {
    case kLatency:
      settings_.latency_ms = g_value_get_uint(value);
      return true;
    case kAdaptiveLatency:
      settings_.adaptive = g_value_get_boolean(value);
      return true;
    case kFastStart:
      settings_.fast_start = g_value_get_boolean(value);
      return true;
    case kExposeSpeakers:
      settings_.expose = g_value_get_boolean(value);
      return true;
    case kSpeakerTimeout:
      settings_.speaker_timeout_s = g_value_get_uint(value);
      return true;
    case kLevelInterval:
      level_interval_ = g_value_get_uint64(value);
      return true;
    case kLimiter:
      settings_.limiter = g_value_get_boolean(value);
      return true;
    case kDuck:
      settings_.duck_db = g_value_get_double(value);
      return true;
    default:
      return set_monitor(id, value);
  }
}

bool SrcSettingsStore::set_monitor(guint id, const GValue *value) {
  switch (id) {
    case kSilenceThreshold:
      settings_.silence_threshold_db = g_value_get_double(value);
      return true;
    case kSilenceTime:
      settings_.silence_time = g_value_get_uint64(value);
      return true;
    case kLoudnessInterval:
      loudness_interval_ = g_value_get_uint64(value);
      return true;
    case kLoudnessTarget:
      settings_.loudness_target = g_value_get_double(value);
      return true;
    default:
      return false;
  }
}

bool SrcSettingsStore::get_monitor(guint id, GValue *value) const {
  switch (id) {
    case kSilenceThreshold:
      g_value_set_double(value, settings_.silence_threshold_db);
      return true;
    case kSilenceTime:
      g_value_set_uint64(value, settings_.silence_time);
      return true;
    case kLoudnessInterval:
      g_value_set_uint64(value, loudness_interval_);
      return true;
    case kLoudnessTarget:
      g_value_set_double(value, settings_.loudness_target);
      return true;
    default:
      return false;
  }
}

bool SrcSettingsStore::get(GObject *element, guint id, GValue *value) const {
  const ObjectLock lock(element);
  switch (id) {
    case kLatency:
      g_value_set_uint(value, settings_.latency_ms);
      return true;
    case kAdaptiveLatency:
      g_value_set_boolean(value, settings_.adaptive);
      return true;
    case kFastStart:
      g_value_set_boolean(value, settings_.fast_start);
      return true;
    case kExposeSpeakers:
      g_value_set_boolean(value, settings_.expose);
      return true;
    case kSpeakerTimeout:
      g_value_set_uint(value, settings_.speaker_timeout_s);
      return true;
    case kSpeakers:
      g_value_set_string(value, to_text(settings_.speakers).c_str());
      return true;
    case kLevelInterval:
      g_value_set_uint64(value, level_interval_);
      return true;
    case kLimiter:
      g_value_set_boolean(value, settings_.limiter);
      return true;
    case kDuck:
      g_value_set_double(value, settings_.duck_db);
      return true;
    default:
      return get_monitor(id, value);
  }
}

std::optional<std::set<std::uint32_t>> SrcSettingsStore::set_speakers(GObject *element,
                                                                      const char *text,
                                                                      bool started) {
  auto uids = parse_uids(text);
  const ObjectLock lock(element);
  if (uids)
    settings_.speakers = *uids;
  settings_.bad_speakers = uids || started ? "" : text;
  return uids;
}

SrcSettings SrcSettingsStore::copy(GObject *element) const {
  const ObjectLock lock(element);
  return settings_;
}

void look_at_times (GstElement *element, const SrcSettingsStore &settings) {
  const std::pair<const char *, GstClockTime> times[] = {
      {"level-interval", settings.level_interval()},
      {"loudness-interval", settings.loudness_interval()},
      {"silence-time", settings.copy(G_OBJECT(element)).silence_time},
  };
  for (const auto &[name, time] : times)
    if (time > 0 && time < GST_MSECOND)
      GST_ELEMENT_WARNING(element, RESOURCE, SETTINGS,
                          ("%s: %" G_GUINT64_FORMAT
                           " is less than a millisecond; nanoseconds are expected, such as "
                           "1000000000 for a second.",
                           name, time),
                          (nullptr));
}

void install_src_settings (GObjectClass *klass) {
  const SrcSettings defaults;
  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_MUTABLE_PLAYING);
  const auto ready = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_READY);
  /**
   * GstAgoraSrc:latency:
   *
   * The playout delay in milliseconds: from the arrival of a sample, had it no jitter, until a
   * synchronising sink plays it. The pipeline's own latency is part of it. When it changes, each
   * speaker goes over in a pause between words, or 0.6 s later wherever it is.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kLatency,
      g_param_spec_uint(
          "latency", "Latency",
          "Milliseconds from the arrival of a sound, had it no jitter, until a synchronising sink "
          "plays it: 20 for music together in one house, 100 for the Internet, 1000 to record",
          0, 10000, defaults.latency_ms, live));
  /**
   * GstAgoraSrc:adaptive-latency:
   *
   * Whether sound is played as early as the network's jitter allows. #GstAgoraSrc:latency is the
   * upper limit then. The speed of playing changes by one per cent at most.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kAdaptiveLatency,
      g_param_spec_boolean("adaptive-latency", "Adaptive latency",
                           "Play as early as the network's jitter allows, and never later than "
                           "latency says; jitter above that is heard as gaps",
                           defaults.adaptive, live));
  /**
   * GstAgoraSrc:fast-start:
   *
   * Whether a speaker's first sound is played as if #GstAgoraSrc:latency were 20 ms. Then it is
   * played up to one per cent slower until it waits for as long as #GstAgoraSrc:latency says, which
   * takes some seconds. Jitter of those seconds may be heard as a gap, after which the latency is
   * the full one. The pads of speakers are stamped as without it.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kFastStart,
      g_param_spec_boolean("fast-start", "Fast start",
                           "Play a speaker's first sound as with a latency of 20 ms, and grow to "
                           "latency by playing up to one per cent slower for some seconds",
                           defaults.fast_start, ready));
  /**
   * GstAgoraSrc:expose-speakers:
   *
   * Whether each speaker gets a pad `speaker_%u` with its sound as it was sent, not decoded.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kExposeSpeakers,
      g_param_spec_boolean("expose-speakers", "Expose speakers",
                           "Add a pad speaker_UID for each speaker, with its sound as it was sent: "
                           "AAC or Opus, not decoded",
                           defaults.expose, ready));
  /**
   * GstAgoraSrc:speaker-timeout:
   *
   * For how many seconds the pad of a speaker whose sound is lost waits for it. Then the pad ends
   * with EOS, and is removed. The mix needs no such limit: it is silent meanwhile.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kSpeakerTimeout,
      g_param_spec_uint("speaker-timeout", "Speaker timeout",
                        "Seconds for which the pad of a speaker whose sound is lost waits for it, "
                        "before it ends and goes, such as 60",
                        0, G_MAXUINT / 1000, defaults.speaker_timeout_s, ready));
  /**
   * GstAgoraSrc:speakers:
   *
   * The uids of the speakers to listen to, separated by commas: `8,9`. Nothing is fetched of the
   * others. Empty: all speakers. A text that is no such list is an ERROR at the start, and a
   * WARNING while playing, where the last list stays.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kSpeakers,
      g_param_spec_string(
          "speakers", "Speakers",
          "Uids of the speakers to listen to, separated by commas, such as 8,9 (empty: everybody)",
          "", live));
  /**
   * GstAgoraSrc:level-interval:
   *
   * The time in nanoseconds between two messages `agora-level`. 0: no such messages.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      klass, kLevelInterval,
      g_param_spec_uint64("level-interval", "Level interval",
                          "Nanoseconds between messages agora-level with the peak and RMS of each "
                          "speaker in dB of full scale, such as 500000000 (0: no messages)",
                          0, G_MAXINT64, 0, live));
  /**
   * GstAgoraSrc:limiter:
   *
   * Whether the mix is kept below full scale where speakers together would be louder. It adds no
   * latency, and a mix that isn't too loud passes unchanged. Without it, samples beyond full scale
   * clip wherever they become integers.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kLimiter,
      g_param_spec_boolean("limiter", "Limiter",
                           "Keep the mix below full scale where speakers together are too loud; "
                           "without it, samples beyond that clip",
                           defaults.limiter, live));
  /**
   * GstAgoraSrc:duck:
   *
   * By how many dB all others are lowered in the mix while somebody speaks to this member, or to a
   * few with it among them (#GstAgoraSink:talk-to). By the talkback's own level, above -45 dB of
   * full scale: down within a tenth of a second, and back 0.6 s after the last word, at 30 dB a
   * second. 12 is usual; 0: nothing is lowered. The pads of speakers aren't touched.
   *
   * Since: 0.2
   */
  g_object_class_install_property(
      klass, kDuck,
      g_param_spec_double("duck", "Duck",
                          "By how much all others are lowered while a talkback speaks to this "
                          "member, in dB, such as 12 (0: not at all)",
                          0, 60, defaults.duck_db, live));
  install_monitor_settings(klass);
}

}  // namespace agora
