// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/speaker-faders.hpp"

#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "gst/common/gst-ptr.hpp"

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
    child = make_speaker(name.c_str(), uid, mixer_);
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
