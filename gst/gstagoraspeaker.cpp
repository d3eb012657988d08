// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/gstagoraspeaker.h"

#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "gst/common/gst-ptr.hpp"
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
                                            GParamSpec *pspec) {
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
                                            GParamSpec *pspec) {
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

static void gst_agora_speaker_finalize (GObject *object) {
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
  g_object_class_install_property(
      object_class, PROP_UID,
      g_param_spec_uint("uid", "Uid", "Whose fader it is", 0, G_MAXUINT32, 0,
                        static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  g_object_class_install_property(
      object_class, PROP_VOLUME,
      g_param_spec_double("volume", "Volume", "How loud in the mix; linear, 1 is as sent", 0, 10, 1,
                          live));
  g_object_class_install_property(
      object_class, PROP_MUTE,
      g_param_spec_boolean("mute", "Mute", "Leave out of the mix", FALSE, live));
  g_object_class_install_property(
      object_class, PROP_PAN,
      g_param_spec_double("pan", "Pan", "Where in a stereo mix: -1 left, 0 centre, 1 right", -1, 1,
                          0, live));
  g_object_class_install_property(
      object_class, PROP_SOLO,
      g_param_spec_boolean("solo", "Solo", "While any speaker is solo, the others are silent",
                           FALSE, live));
}

static void gst_agora_speaker_init (GstAgoraSpeaker *) {
}

namespace agora {

SpeakerFaders::SpeakerFaders(GstElement *owner, std::shared_ptr<Mixer> mixer)
    : owner_(owner), mixer_(std::move(mixer)) {
}

SpeakerFaders::~SpeakerFaders() {
  clear();
}

void SpeakerFaders::clear() {
  std::map<std::uint32_t, GstAgoraSpeaker *> children;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    children.swap(children_);
  }
  for (auto &[uid, child] : children)
    gst_object_unparent(GST_OBJECT(child));
}

GstAgoraSpeaker *SpeakerFaders::take(std::uint32_t uid) {
  GstAgoraSpeaker *child = nullptr;
  const std::string name = "speaker-" + std::to_string(uid);
  {
    std::lock_guard lock(mutex_);
    if (auto it = children_.find(uid); it != children_.end())
      return GST_AGORA_SPEAKER(gst_object_ref(it->second));
    if (closed_)
      return nullptr;
    child = GST_AGORA_SPEAKER(g_object_new(GST_TYPE_AGORA_SPEAKER, "name", name.c_str(), nullptr));
    child->uid = uid;
    child->mixer = new std::shared_ptr<Mixer>(mixer_);
    gst_object_set_parent(GST_OBJECT(child), GST_OBJECT(owner_));
    children_[uid] = child;
    gst_object_ref(child);
  }
  gst_child_proxy_child_added(GST_CHILD_PROXY(owner_), G_OBJECT(child), name.c_str());
  return child;
}

void SpeakerFaders::ensure(std::uint32_t uid) {
  const ObjectPtr<GstAgoraSpeaker> child(take(uid));
}

// Whoever gets at a child does so under the lock, and then holds it.
bool SpeakerFaders::unused(std::uint32_t uid, GstAgoraSpeaker *child) const {
  if (mixer_->find(uid) || !(mixer_->fader(uid) == Fader()) ||
      g_atomic_int_get(&G_OBJECT(child)->ref_count) > 1)
    return false;
  GST_OBJECT_LOCK(child);
  const bool controlled = GST_OBJECT(child)->control_bindings != nullptr;
  GST_OBJECT_UNLOCK(child);
  // Of any detail.
  return !controlled &&
         g_signal_handler_find(child, G_SIGNAL_MATCH_ID, g_signal_lookup("notify", G_TYPE_OBJECT),
                               0, nullptr, nullptr, nullptr) == 0;
}

void SpeakerFaders::tidy() {
  std::vector<GstAgoraSpeaker *> gone;
  {
    std::lock_guard lock(mutex_);
    for (auto it = children_.begin(); it != children_.end();) {
      if (unused(it->first, it->second)) {
        gone.push_back(it->second);
        it = children_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (GstAgoraSpeaker *child : gone) {
    gst_child_proxy_child_removed(GST_CHILD_PROXY(owner_), G_OBJECT(child), GST_OBJECT_NAME(child));
    gst_object_unparent(GST_OBJECT(child));
  }
}

void SpeakerFaders::sync(GstClockTime at) {
  std::vector<ObjectPtr<GstObject>> controlled;
  {
    std::lock_guard lock(mutex_);
    for (auto &[uid, child] : children_)
      if (gst_object_has_active_control_bindings(GST_OBJECT(child)))
        controlled.emplace_back(GST_OBJECT(gst_object_ref(child)));
  }
  // Tells of changes, and that may call anybody.
  for (auto &child : controlled)
    gst_object_sync_values(child.get(), at);
}

GObject *SpeakerFaders::by_name(const char *name) {
  constexpr std::string_view prefix = "speaker-";
  guint64 uid = 0;
  if (!g_str_has_prefix(name, prefix.data()))
    return nullptr;
  const char *digits = name + prefix.size();
  // One speaker has one name.
  if (*digits == '0' || !g_ascii_string_to_unsigned(digits, 10, 1, G_MAXUINT32, &uid, nullptr))
    return nullptr;
  return reinterpret_cast<GObject *>(take(static_cast<std::uint32_t>(uid)));
}

GObject *SpeakerFaders::by_index(unsigned index) const {
  std::lock_guard lock(mutex_);
  if (index >= children_.size())
    return nullptr;
  return G_OBJECT(g_object_ref(std::next(children_.begin(), index)->second));
}

unsigned SpeakerFaders::count() const {
  std::lock_guard lock(mutex_);
  return static_cast<unsigned>(children_.size());
}

}  // namespace agora
