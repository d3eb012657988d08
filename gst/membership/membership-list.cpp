// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else is in the channel, for those elements that want to know (list-members). The context's
// thread alone.
#include <algorithm>
#include <utility>

#include "gst/membership/shared-membership.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_session_debug);
#define GST_CAT_DEFAULT agora_session_debug

namespace agora {
namespace {

// More often than once a second the gateway doesn't answer it.
constexpr unsigned kListRetry = 1'500;

}  // namespace

void SharedMembership::tell_lists(const std::function<void(Member &)> &what, Member *alone) {
  std::vector<Member *> members;
  {
    std::lock_guard lock(mutex_);
    for (const Entry &e : entries_)
      if (e.lists && (!alone || e.member == alone))
        members.push_back(e.member);
  }
  for (Member *member : members)
    tell(what, nullptr, member);
}

// The client asks again by itself when it has lost the gateway and comes back.
void SharedMembership::list_members() {
  list_retry_.reset();
  bool wanted = false;
  {
    std::lock_guard lock(mutex_);
    wanted = std::any_of(entries_.begin(), entries_.end(),
                         [] (const Entry &e) { return e.entered && e.lists; });
  }
  if (!wanted || listing_ || !joined_ || !client_ || !can_ask())
    return;
  listing_ = true;
  agora_client_get_members_async(client_, cancellable_, finished,
                                 call([this] (GAsyncResult *result) { members_listed(result); }));
}

void SharedMembership::members_listed(GAsyncResult *result) {
  g_autoptr(GError) error = nullptr;
  gsize count = 0;
  g_autofree guint *uids =
      agora_client_get_members_finish(client_, result, &count, nullptr, &error);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (error) {
    GST_INFO("%s", error->message);
    listing_ = false;
    if (g_error_matches(error, AGORA_ERROR, AGORA_ERROR_TOO_MANY) ||
        g_error_matches(error, AGORA_ERROR, AGORA_ERROR_TIMEOUT))
      list_retry_ = after(context_, kListRetry, [this] { list_members(); });
    else if (can_ask())
      tell_lists([&] (Member &m) { m.list_refused(*error); });
    return;
  }
  for (gsize i = 0; i < count; i++) {
    g_autofree char *name = agora_client_dup_name(client_, uids[i]);
    on_member_joined(client_, uids[i], name ? name : "", this);
  }
}

// Who was told may run the context's loop, and be told more there.
void SharedMembership::on_member_joined(AgoraClient *, guint uid, const char *name,
                                        SharedMembership *self) {
  const std::string text = name;
  const auto [known, is_new] = self->listed_.try_emplace(uid, text);
  if (!is_new && std::exchange(known->second, text) == text)
    return;
  self->tell_lists([&] (Member &m) { m.member_joined(uid, text); });
}

void SharedMembership::on_member_left(AgoraClient *, guint uid, SharedMembership *self) {
  if (self->listed_.erase(uid) > 0)
    self->tell_lists([&] (Member &m) { m.channel_event("member-left", uid); });
}

// A member that came after the others were told.
void SharedMembership::welcome_to_list(Member *member) {
  const auto listed = listed_;
  for (const auto &[uid, name] : listed)
    tell_lists([&uid = uid, &name = name] (Member &m) { m.member_joined(uid, name); }, member);
  list_members();
}

void SharedMembership::end_list() {
  listing_ = false;
  list_retry_.reset();
  const auto listed = std::exchange(listed_, {});
  for (const auto &[uid, name] : listed)
    tell_lists([uid = uid] (Member &m) { m.channel_event("member-left", uid); });
}

}  // namespace agora
