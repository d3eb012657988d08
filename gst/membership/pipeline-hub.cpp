// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/membership/membership.hpp"

#include <memory>
#include <mutex>
#include <vector>

#include "gst/common/channel-settings.hpp"
#include "gst/membership/shared-membership.hpp"

// One hub per pipeline knows its memberships. It travels as a GstContext, so that elements find it
// that know nothing of each other.
namespace agora {
namespace {

constexpr const char *kContextType = "agora.hub";

struct Hub {
  std::mutex mutex;  // guards the list; before a membership's
  std::vector<std::weak_ptr<SharedMembership>> sessions;
};

using AgoraHubRef = std::shared_ptr<Hub>;

AgoraHubRef *hub_ref_copy (AgoraHubRef *ref) noexcept {
  return new AgoraHubRef(*ref);
}

void hub_ref_free (AgoraHubRef *ref) noexcept {
  delete ref;
}

// For whoever prints a context.
void hub_ref_to_string (const GValue *, GValue *text) noexcept {
  g_value_set_static_string(text, "memberships");
}

G_DEFINE_BOXED_TYPE_WITH_CODE(AgoraHubRef, agora_hub_ref, hub_ref_copy, hub_ref_free,
                              g_value_register_transform_func(g_define_type_id, G_TYPE_STRING,
                                                              hub_ref_to_string))

AgoraHubRef hub_of (GstContext *context) {
  AgoraHubRef *ref = nullptr;
  gst_structure_get(gst_context_get_structure(context), "hub", agora_hub_ref_get_type(), &ref,
                    nullptr);
  AgoraHubRef hub = ref ? *ref : nullptr;
  delete ref;
  return hub;
}

AgoraHubRef find_hub (GstElement *element) {
  g_autoptr(GstContext) context = gst_element_get_context(element, kContextType);
  return context ? hub_of(context) : nullptr;
}

GstObject *outermost (GstElement *element) {
  GstObject *object = GST_OBJECT(gst_object_ref(element));
  while (GstObject *parent = gst_object_get_parent(object)) {
    gst_object_unref(object);
    object = parent;
  }
  return object;
}

// The one hub of whatever the element is a part of. Two elements that start at once both find that
// nobody has one; yet they must not make one each.
AgoraHubRef hub_of_all_around (GstElement *element) {
  static const GQuark quark = g_quark_from_static_string("agora-hub");
  // Guards what all pipelines have under this quark; a leaf.
  static std::mutex mutex;
  g_autoptr(GstObject) around = outermost(element);
  std::lock_guard lock(mutex);
  auto *known = static_cast<std::weak_ptr<Hub> *>(g_object_get_qdata(G_OBJECT(around), quark));
  if (AgoraHubRef hub = known ? known->lock() : nullptr)
    return hub;
  AgoraHubRef hub = std::make_shared<Hub>();
  g_object_set_qdata_full(
      G_OBJECT(around), quark, new std::weak_ptr<Hub>(hub),
      [] (gpointer data) noexcept { delete static_cast<std::weak_ptr<Hub> *>(data); });
  return hub;
}

// Without a lock: the application's handlers of these messages may start elements, too, or wait for
// a thread that does.
AgoraHubRef ensure_hub (GstElement *element) {
  if (AgoraHubRef hub = find_hub(element))
    return hub;
  gst_element_post_message(element,
                           gst_message_new_need_context(GST_OBJECT(element), kContextType));
  if (AgoraHubRef hub = find_hub(element))
    return hub;
  AgoraHubRef hub = hub_of_all_around(element);
  GstContext *context = gst_context_new(kContextType, FALSE);
  gst_structure_set(gst_context_writable_structure(context), "hub", agora_hub_ref_get_type(), &hub,
                    nullptr);
  gst_element_set_context(element, context);
  gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), context));
  return hub;
}

}  // namespace

std::shared_ptr<Membership> Membership::join(GstElement *element, const ChannelSettings &settings,
                                             Part part, Member *member, GError **error) {
  if (!are_complete(settings, error))
    return nullptr;
  AgoraHubRef hub = ensure_hub(element);
  // Let go of after the lock is: the last reference ends a membership.
  std::vector<std::shared_ptr<SharedMembership>> seen;
  std::lock_guard lock(hub->mutex);
  std::erase_if(hub->sessions, [] (auto &weak) { return weak.expired(); });
  for (auto &weak : hub->sessions) {
    seen.push_back(weak.lock());
    const auto &session = seen.back();
    if (session && session->fits(settings))
      return session->add(element, member, part, settings.list_members, error) ? session : nullptr;
  }
  const auto &session = seen.emplace_back(std::make_shared<SharedMembership>(settings));
  session->add(element, member, part, settings.list_members, error);
  hub->sessions.push_back(session);
  return session;
}

}  // namespace agora
