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

// Who is told may run the context's loop: the others are, for as long as it `holds`.
void SharedMembership::tell_lists(const std::function<void(Member &)> &what, Member *alone,
                                  const std::function<bool()> &holds) {
  std::vector<Member *> members;
  {
    std::lock_guard lock(mutex_);
    for (const Entry &e : entries_)
      if (e.lists && (!alone || e.member == alone))
        members.push_back(e.member);
  }
  for (Member *member : members)
    if (!holds || holds())
      tell(what, nullptr, member);
}

void SharedMembership::tell_listed(std::uint32_t uid, const std::string &name, Member *alone) {
  tell_lists([&] (Member &m) { m.member_joined(uid, name); }, alone,
             [&] {
               const auto found = listed_.find(uid);
               return found != listed_.end() && found->second == name;
             });
}

// Once, for as long as it is so: it is asked again at each return.
void SharedMembership::tell_list_refused(const GError &error) {
  std::vector<Member *> members;
  {
    std::lock_guard lock(mutex_);
    for (Entry &e : entries_)
      if (e.entered && e.lists && !std::exchange(e.list_refused, true))
        members.push_back(e.member);
  }
  for (Member *member : members)
    tell([&] (Member &m) { m.list_refused(error); }, nullptr, member);
}

void SharedMembership::forget_refusals() {
  std::lock_guard lock(mutex_);
  for (Entry &e : entries_)
    e.list_refused = false;
}

bool SharedMembership::wants_list() const {
  std::lock_guard lock(mutex_);
  return std::any_of(entries_.begin(), entries_.end(),
                     [] (const Entry &e) { return e.entered && e.lists; });
}

// The client asks again by itself when it has lost the gateway and comes back.
void SharedMembership::list_members() {
  list_retry_.reset();
  if (!wants_list() || listing_ || !joined_ || !client_ || !can_ask())
    return;
  listing_ = true;
  agora_client_get_members_async(client_, cancellable_, finished,
                                 call([this] (GAsyncResult *result) { members_listed(result); }));
}

void SharedMembership::members_listed(GAsyncResult *result) {
  g_autoptr(GError) error = nullptr;
  gsize count = 0;
  g_autofree guint *listed =
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
      tell_list_refused(*error);
    return;
  }
  tell_list();
}

// Who is told may end the membership, or let time pass in which some of these leave.
void SharedMembership::tell_list() {
  forget_refusals();
  gsize count = 0;
  g_autofree guint *uids = agora_client_dup_members(client_, &count);
  const unsigned stay = stay_;
  for (gsize i = 0; i < count; i++) {
    if (gone_ || stay != stay_)
      return;
    gsize there = 0;
    g_autofree guint *members = agora_client_dup_members(client_, &there);
    if (!std::binary_search(members, members + there, uids[i]))
      continue;
    g_autofree char *name = agora_client_dup_name(client_, uids[i]);
    on_member_joined(client_, uids[i], name ? name : "", this);
  }
}

// Where it ends, it asks once more, to hear why. Then the client has it by itself, once it is shown
// again.
void SharedMembership::on_lists_members(AgoraClient *client, GParamSpec *, SharedMembership *self) {
  gboolean lists = FALSE;
  g_object_get(client, "lists-members", &lists, nullptr);
  if (!lists && std::exchange(self->listing_, false))
    self->list_members();
  if (lists && !self->listing_ && self->joined_ && self->wants_list()) {
    self->listing_ = true;
    self->list_retry_.reset();
    self->tell_list();
  }
}

void SharedMembership::on_member_joined(AgoraClient *, guint uid, const char *name,
                                        SharedMembership *self) {
  const std::string text = name;
  const auto [known, is_new] = self->listed_.try_emplace(uid, text);
  if (!is_new && std::exchange(known->second, text) == text)
    return;
  self->tell_listed(uid, text);
}

void SharedMembership::on_member_left(AgoraClient *, guint uid, SharedMembership *self) {
  if (self->listed_.erase(uid) > 0)
    self->tell_lists([&] (Member &m) { m.channel_event("member-left", uid); });
}

// A member that came after the others were told.
void SharedMembership::welcome_to_list(Member *member) {
  // One after another by uid: whom it is told of may be gone by its turn.
  for (auto it = listed_.begin(); it != listed_.end();) {
    const std::uint32_t uid = it->first;
    const std::string name = it->second;
    tell_listed(uid, name, member);
    it = listed_.upper_bound(uid);
  }
  list_members();
}

void SharedMembership::end_list() {
  listing_ = false;
  list_retry_.reset();
  forget_refusals();
  const auto listed = std::exchange(listed_, {});
  for (const auto &[uid, name] : listed)
    tell_lists([uid = uid] (Member &m) { m.channel_event("member-left", uid); });
}

}  // namespace agora
