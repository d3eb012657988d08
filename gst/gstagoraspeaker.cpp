// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:object-GstAgoraSpeaker
 * @title: GstAgoraSpeaker
 * @short_description: One remote speaker's place in the mix of agorasrc
 * @see_also: agorasrc
 *
 * A child of agorasrc, by the name `speaker-UID`. It sets how loud and where a speaker is in the
 * mix; the speaker itself, and the pad with its encoded sound, notice nothing. All properties may
 * be set from any thread, at any time, and can be controlled by a #GstControlBinding. A change
 * takes 20 ms at most, and doesn't click.
 *
 * ```
 * gst-launch-1.0 agorasrc app-id=demo channel=room speaker-8::volume=0.5 ! autoaudiosink
 * ```
 */
#include "gst/gstagoraspeaker.h"

#include <utility>

#include "gst/src/speaker-faders.hpp"

namespace {

enum : guint { PROP_NONE, PROP_UID, PROP_VOLUME, PROP_MUTE, PROP_PAN, PROP_SOLO };

}  // namespace

struct _GstAgoraSpeaker {
  GstObject parent;
  guint uid;
  std::shared_ptr<agora::Mixer> *mixer;  // holds the values themselves
};

G_DEFINE_TYPE(GstAgoraSpeaker, gst_agora_speaker, GST_TYPE_OBJECT)

static void gst_agora_speaker_set_property (GObject *object, guint id, const GValue *value,
                                            GParamSpec *pspec) noexcept {
  GstAgoraSpeaker *self = GST_AGORA_SPEAKER(object);
  (*self->mixer)->change_fader(self->uid, [&] (agora::Fader &fader) {
    switch (id) {
      case PROP_VOLUME:
        fader.volume = g_value_get_double(value);
        break;
      case PROP_MUTE:
        fader.mute = g_value_get_boolean(value);
        break;
      case PROP_PAN:
        fader.pan = g_value_get_double(value);
        break;
      case PROP_SOLO:
        fader.solo = g_value_get_boolean(value);
        break;
      default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
  });
}

static void gst_agora_speaker_get_property (GObject *object, guint id, GValue *value,
                                            GParamSpec *pspec) noexcept {
  GstAgoraSpeaker *self = GST_AGORA_SPEAKER(object);
  const agora::Fader fader = (*self->mixer)->fader(self->uid);
  switch (id) {
    case PROP_UID:
      g_value_set_uint(value, self->uid);
      break;
    case PROP_VOLUME:
      g_value_set_double(value, fader.volume);
      break;
    case PROP_MUTE:
      g_value_set_boolean(value, fader.mute);
      break;
    case PROP_PAN:
      g_value_set_double(value, fader.pan);
      break;
    case PROP_SOLO:
      g_value_set_boolean(value, fader.solo);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

static void gst_agora_speaker_finalize (GObject *object) noexcept {
  delete GST_AGORA_SPEAKER(object)->mixer;
  G_OBJECT_CLASS(gst_agora_speaker_parent_class)->finalize(object);
}

static void gst_agora_speaker_class_init (GstAgoraSpeakerClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_agora_speaker_set_property;
  object_class->get_property = gst_agora_speaker_get_property;
  object_class->finalize = gst_agora_speaker_finalize;

  const auto live = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                             GST_PARAM_CONTROLLABLE | GST_PARAM_MUTABLE_PLAYING);
  /**
   * GstAgoraSpeaker:uid:
   *
   * The uid of the speaker.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      object_class, PROP_UID,
      g_param_spec_uint("uid", "Uid", "Numeric id of the speaker", 0, G_MAXUINT32, 0,
                        static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  /**
   * GstAgoraSpeaker:volume:
   *
   * The volume in the mix, linear: 1.0 is as the speaker sent it.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      object_class, PROP_VOLUME,
      g_param_spec_double("volume", "Volume",
                          "Volume in the mix, linear: 1.0 is as sent, 0.5 is 6 dB less", 0, 10, 1,
                          live));
  /**
   * GstAgoraSpeaker:mute:
   *
   * Whether the mix is without this speaker. Nobody else is told.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      object_class, PROP_MUTE,
      g_param_spec_boolean("mute", "Mute", "Leave the speaker out of the mix", FALSE, live));
  /**
   * GstAgoraSpeaker:pan:
   *
   * The balance in a stereo mix: -1.0 is left, 0.0 the centre, 1.0 right. The far side gets softer,
   * the near one stays. A mono mix ignores it.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      object_class, PROP_PAN,
      g_param_spec_double("pan", "Pan",
                          "Position in a stereo mix (-1.0 left, 0.0 centre, 1.0 right)", -1, 1, 0,
                          live));
  /**
   * GstAgoraSpeaker:solo:
   *
   * While a speaker that is there is solo, only those that are solo are heard.
   *
   * Since: 0.1
   */
  g_object_class_install_property(
      object_class, PROP_SOLO,
      g_param_spec_boolean("solo", "Solo", "While any speaker is solo, play only those that are",
                           FALSE, live));
}

static void gst_agora_speaker_init (GstAgoraSpeaker *) {
}

namespace agora {

GstAgoraSpeaker *make_speaker (const char *name, std::uint32_t uid, std::shared_ptr<Mixer> mixer) {
  auto *self = GST_AGORA_SPEAKER(g_object_new(GST_TYPE_AGORA_SPEAKER, "name", name, nullptr));
  self->uid = uid;
  self->mixer = new std::shared_ptr<Mixer>(std::move(mixer));
  return self;
}

}  // namespace agora
