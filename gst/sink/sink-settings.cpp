// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/sink-settings.hpp"

#include "gst/common/object-lock.hpp"

namespace agora {

namespace {
constexpr unsigned default_gap_ms = 1000;
// As the gateway's.
constexpr std::size_t most_addressees = 16;
}  // namespace

/**
 * GstAgoraSinkOnGap:
 *
 * What goes on the air while upstream sends nothing, by #GstAgoraSink:on-gap: silence so that the
 * stream stays (`silence`), a file over and over (`file`), or nothing, since it ends (`end`).
 *
 * Since: 0.1
 */
GType on_gap_type () {
  static const GEnumValue values[] = {
      {static_cast<int>(OnGap::silence), "Send silence, so that the stream stays", "silence"},
      {static_cast<int>(OnGap::file), "Send the file gap-location, over and over", "file"},
      {static_cast<int>(OnGap::end), "End the stream, as if upstream had ended it", "end"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstAgoraSinkOnGap", values);
  return type;
}

/**
 * GstAgoraSinkCodec:
 *
 * The values of #GstAgoraSink:codec: `auto`, `aac` and `opus`.
 *
 * Since: 0.2
 */
GType codec_choice_type () {
  static const GEnumValue values[] = {
      {static_cast<int>(CodecChoice::automatic), "Opus for those who hear it, AAC for all others",
       "auto"},
      {static_cast<int>(CodecChoice::aac), "AAC, which everybody hears", "aac"},
      {static_cast<int>(CodecChoice::opus), "As auto, but Opus while nobody listens", "opus"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstAgoraSinkCodec", values);
  return type;
}

bool SinkSettingsStore::set(GObject *element, guint id, const GValue *value) {
  const ObjectLock lock(element);
  switch (id) {
    case kBitrate:
      settings_.bitrate = g_value_get_uint(value);
      return true;
    case kLowDelay:
      settings_.low_delay = g_value_get_boolean(value);
      return true;
    case kCodec:
      settings_.codec = static_cast<CodecChoice>(g_value_get_enum(value));
      return true;
    case kOnGap:
      settings_.on_gap = static_cast<OnGap>(g_value_get_enum(value));
      return true;
    case kGapLocation: {
      const char *path = g_value_get_string(value);
      settings_.gap_location = path ? path : "";
      return true;
    }
    case kGapTimeout:
      settings_.gap_timeout_ms = g_value_get_uint(value);
      return true;
    default:
      return false;
  }
}

bool SinkSettingsStore::get(GObject *element, guint id, GValue *value) const {
  const ObjectLock lock(element);
  switch (id) {
    case kBitrate:
      g_value_set_uint(value, settings_.bitrate);
      return true;
    case kLowDelay:
      g_value_set_boolean(value, settings_.low_delay);
      return true;
    case kCodec:
      g_value_set_enum(value, static_cast<int>(settings_.codec));
      return true;
    case kTalkTo:
      g_value_set_string(value, to_text(settings_.talk_to).c_str());
      return true;
    case kOnGap:
      g_value_set_enum(value, static_cast<int>(settings_.on_gap));
      return true;
    case kGapLocation:
      g_value_set_string(value,
                         settings_.gap_location.empty() ? nullptr : settings_.gap_location.c_str());
      return true;
    case kGapTimeout:
      g_value_set_uint(value, settings_.gap_timeout_ms);
      return true;
    default:
      return false;
  }
}

std::optional<UidList> SinkSettingsStore::set_talk_to(GObject *element, const char *text,
                                                      bool started) {
  auto uids = parse_uids(text);
  if (uids && uids->size() > most_addressees)
    uids.reset();
  const ObjectLock lock(element);
  if (uids)
    settings_.talk_to = *uids;
  settings_.bad_talk_to = uids || started ? "" : text;
  return uids;
}

SinkSettings SinkSettingsStore::copy(GObject *element) const {
  const ObjectLock lock(element);
  return settings_;
}

void install_sink_settings (GObjectClass *object_class) {
  const auto readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  const auto settable = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY);
  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_MUTABLE_PLAYING);
  const auto install = [object_class] (guint id, GParamSpec *pspec) {
    g_object_class_install_property(object_class, id, pspec);
  };
  /**
   * GstAgoraSink:bitrate:
   *
   * Bits per second of the AAC encoder. 0 chooses 64000 for mono and 96000 for stereo; else it is
   * 8000 at least, or the start fails. What comes as AAC isn't encoded, and keeps its own.
   *
   * Since: 0.1
   */
  install(kBitrate,
          g_param_spec_uint(
              "bitrate", "Bit rate",
              "Bits per second of the encoder, at least 8000, such as 32000 (0: AAC 64000 in mono "
              "and 96000 in stereo, Opus 48000 and 72000); input that is in the codec already "
              "keeps its own",
              0, 320'000, 0, settable));
  /**
   * GstAgoraSink:low-delay:
   *
   * Whether sound is encoded at 96 kHz, whatever rate it has. A frame of AAC and the encoder's
   * look-ahead are numbers of samples, so that listeners hear it 27 ms sooner than at 48 kHz. It
   * takes more CPU on both sides, and twice as many packets. It stays AAC-LC, which players of RTMP
   * understand. What comes as AAC isn't encoded, and isn't changed by this. Where Opus is sent
   * (#GstAgoraSink:codec) its packets are of 10 ms in place of 20.
   *
   * Since: 0.2
   */
  install(kLowDelay,
          g_param_spec_boolean("low-delay", "Low delay",
                               "Encode AAC at 96 kHz, which listeners hear 27 ms sooner than at "
                               "48 kHz, for more CPU and packets",
                               FALSE, settable));
  /**
   * GstAgoraSink:codec:
   *
   * What the sound is encoded as. `aac`: nothing but AAC. `auto`: Opus for those who hear it, which
   * is agorasrc since 0.2; AAC for everybody else; both where there are both, and AAC while nobody
   * listens. Where the gateway doesn't know of codecs, all of them is AAC. What comes as one of the
   * two goes out as it is in that codec. May be changed while it plays: listeners then go over to
   * what they hear best of what there is, without a gap.
   *
   * Since: 0.2
   */
  install(kCodec,
          g_param_spec_enum("codec", "Codec",
                            "Codec to send: aac, or one that is chosen by what the listeners "
                            "can play (auto, opus)",
                            codec_choice_type(), static_cast<int>(CodecChoice::aac), live));
  /**
   * GstAgoraSink:talk-to:
   *
   * The uids of the members that the sound is for, separated by commas: `8,9`; 16 at most. They
   * alone are told of it and can hear it; for all others, those who come later included, there is
   * nothing. Empty: everybody. May be changed while it plays: the sound is then published anew, and
   * those who hear it on miss nothing. What is said until #GstAgoraSink:push-url is another one
   * still goes to those that it went to. A text that is no such list is an ERROR at the start, and
   * a WARNING while playing, where the last list stays. Where the gateway knows no talkback it is
   * an ERROR, rather than that all hear it.
   *
   * Since: 0.2
   */
  install(kTalkTo, g_param_spec_string("talk-to", "Talk to",
                                       "Uids of the only members that may hear this, separated by "
                                       "commas, 16 at most, such as 8,9 (empty: everybody)",
                                       "", live));
  /**
   * GstAgoraSink:muted:
   *
   * Sends silence in place of the voice, so that the stream stays, and tells the others. May be
   * changed at any time, from any thread.
   *
   * Since: 0.1
   */
  install(kMuted,
          g_param_spec_boolean(
              "muted", "Muted",
              "Send silence in place of the voice, and tell the others (mute-audio)", FALSE, live));
  /**
   * GstAgoraSink:max-backlog:
   *
   * How many milliseconds of sound wait for a network that doesn't take them. Beyond it the oldest
   * frames are dropped; the newest always stays. May be changed at any time, from any thread.
   *
   * Since: 0.1
   */
  install(kMaxBacklog,
          g_param_spec_uint("max-backlog", "Maximum backlog",
                            "Milliseconds of sound that wait at most for a network that doesn't "
                            "take them, such as 300; beyond that the oldest frames are dropped",
                            0, 60'000, 1000, live));
  /**
   * GstAgoraSink:on-gap:
   *
   * What is sent when nothing comes from upstream for #GstAgoraSink:gap-timeout though it hasn't
   * ended. It begins once PLAYING is asked for, and goes on while the pipeline is paused after
   * that.
   *
   * Since: 0.1
   */
  install(kOnGap,
          g_param_spec_enum("on-gap", "On gap",
                            "What to send when upstream delivers nothing for "
                            "gap-timeout, without having ended",
                            on_gap_type(), static_cast<int>(agora::OnGap::silence), settable));
  /**
   * GstAgoraSink:gap-location:
   *
   * Path of the sound file for #GstAgoraSink:on-gap `file`. Ten minutes of it at most are read.
   *
   * Since: 0.1
   */
  install(kGapLocation, g_param_spec_string("gap-location", "Gap location",
                                            "Path of the sound file for on-gap=file, such as "
                                            "/srv/hold.wav; ten minutes of it at most are used",
                                            nullptr, settable));
  /**
   * GstAgoraSink:gap-timeout:
   *
   * How many milliseconds pass without sound from upstream before #GstAgoraSink:on-gap applies.
   *
   * Since: 0.1
   */
  install(kGapTimeout,
          g_param_spec_uint("gap-timeout", "Gap timeout",
                            "Milliseconds without sound from upstream before on-gap applies, such "
                            "as 3000",
                            100, 600'000, default_gap_ms, settable));
  /**
   * GstAgoraSink:push-url:
   *
   * The temporary RTMP URL that the sound goes to, or %NULL while there is none. Whoever has it may
   * push until it ends: don't log it. Notified on the signalling thread, or one of GStreamer's
   * pool.
   *
   * Since: 0.1
   */
  install(kPushUrl, g_param_spec_string("push-url", "Push URL",
                                        "The temporary RTMP URL that the sound is sent to; null "
                                        "while there is none. A secret: whoever has it may push",
                                        nullptr, readable));
  /**
   * GstAgoraSink:sync:
   *
   * As #GstBaseSink:sync: each frame is sent when its running time has come on the pipeline's
   * clock. Without it frames are sent as they come, but in PAUSED never.
   *
   * Since: 0.1
   */
  install(kSync, g_param_spec_boolean("sync", "Sync",
                                      "Send each frame when its time has come on the clock; "
                                      "without it, as it comes",
                                      TRUE, live));
  /**
   * GstAgoraSink:async:
   *
   * As #GstBaseSink:async: PAUSED is reached with the first frame. Without it, at once.
   *
   * Since: 0.2
   */
  install(kAsync, g_param_spec_boolean("async", "Async",
                                       "Reach PAUSED when the first sound has come; without "
                                       "it, at once",
                                       TRUE, live));
  /**
   * GstAgoraSink:qos:
   *
   * As #GstBaseSink:qos: tells upstream by QOS events how late its frames are.
   *
   * Since: 0.2
   */
  install(kQos, g_param_spec_boolean("qos", "QoS", "Send QOS events upstream", FALSE, live));
  /**
   * GstAgoraSink:ts-offset:
   *
   * As #GstBaseSink:ts-offset: nanoseconds by which each frame is sent later than its time.
   *
   * Since: 0.2
   */
  install(kTsOffset, g_param_spec_int64(
                         "ts-offset", "Timestamp offset",
                         "Nanoseconds by which each frame is sent later, such as 40000000 to go "
                         "with a picture (below 0: earlier)",
                         G_MININT64, G_MAXINT64, 0, live));
  /**
   * GstAgoraSink:render-delay:
   *
   * As #GstBaseSink:render-delay: nanoseconds that what is sent takes on its way. Frames are sent
   * that much earlier in a live pipeline, whose latency grows by it.
   *
   * Since: 0.2
   */
  install(kRenderDelay,
          g_param_spec_uint64(
              "render-delay", "Render delay",
              "Nanoseconds that the way to the listeners takes, such as 20000000: added to the "
              "pipeline's latency, and frames are sent that much earlier",
              0, G_MAXUINT64, 0, live));
  /**
   * GstAgoraSink:max-lateness:
   *
   * As #GstBaseSink:max-lateness: frames that come later than this many nanoseconds after their
   * time are dropped. -1: none are.
   *
   * Since: 0.2
   */
  install(kMaxLateness,
          g_param_spec_int64("max-lateness", "Maximum lateness",
                             "Nanoseconds after its time at which a frame is dropped, such as "
                             "500000000 (-1: never)",
                             -1, G_MAXINT64, -1, live));
}

}  // namespace agora
