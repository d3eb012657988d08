// SPDX-License-Identifier: LGPL-2.1-or-later
// What a membership knows of the others: who speaks, and where each can be heard from.
#include <algorithm>
#include <utility>

#include "gst/membership/shared-membership.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_session_debug);
#define GST_CAT_DEFAULT agora_session_debug

namespace agora {
namespace {

constexpr unsigned kFirstRetry = RetryPace::kFirst;
constexpr Part kListener = Part::listener;
// What a gateway that we come back to has to say of those who aren't there, it says at once.
constexpr gint64 kCameBack = G_TIME_SPAN_SECOND;
// More than the half of a minute's drain, within which everybody moves.
constexpr unsigned kMissing = 40'000;

}  // namespace

void SharedMembership::play_broke(std::uint32_t uid, const std::string &url) {
  post(context_, [self = shared_from_this(), uid, url] {
    auto it = self->remotes_.find(uid);
    if (it == self->remotes_.end() || it->second.asking || it->second.pace.timer)
      return;
    if (it->second.missing) {
      self->removed(uid);
      return;
    }
    // The gateway has told another URL meanwhile: to ask again would end the session from there.
    if (it->second.url != url)
      return;
    if (!self->can_ask()) {
      it->second.wanted = true;
      return;
    }
    it->second.pace.timer = after(self->context_, it->second.pace.next_ms(),
                                  [raw = self.get(), uid] { raw->subscribe(uid); });
  });
}

void SharedMembership::play_untrusted(const GError &error) {
  post(context_, [self = shared_from_this(),
                  copy = std::shared_ptr<GError>(g_error_copy(&error), g_error_free)] {
    self->tell([&] (Member &m) { m.failed(*copy); }, &kListener);
  });
}

void SharedMembership::push_untrusted(Member *, const GError &error) {
  post(context_, [self = shared_from_this(),
                  copy = std::shared_ptr<GError>(g_error_copy(&error), g_error_free)] {
    self->fail_host(*copy);
  });
}

AuthoritiesPtr SharedMembership::authorities() const {
  std::lock_guard lock(mutex_);
  return authorities_;
}

void SharedMembership::speaker_is_heard(std::uint32_t uid, bool is_heard) {
  {
    std::lock_guard lock(mutex_);
    if ((heard_[uid] += is_heard ? 1 : -1) != 0)
      return;
    heard_.erase(uid);
  }
  // Missing at this gateway, and now it doesn't play on from the other one either.
  post(context_, [self = shared_from_this(), uid] {
    auto it = self->remotes_.find(uid);
    if (it != self->remotes_.end() && it->second.missing && !self->hears(uid))
      self->removed(uid);
  });
}

bool SharedMembership::hears(std::uint32_t uid) const {
  std::lock_guard lock(mutex_);
  return heard_.contains(uid);
}

/* What follows runs on the context's thread alone. */

// The application's client was in the channel before we were: what it was told then, it tells now.
void SharedMembership::adopt_speakers() {
  gsize count = 0;
  g_autofree guint *uids = agora_client_dup_speakers(client_, &count);
  for (gsize i = 0; i < count; i++)
    on_stream_added(client_, uids[i], this);
}

void SharedMembership::on_stream_added(AgoraClient *, guint uid, SharedMembership *self) {
  if (self->remotes_.try_emplace(uid).second)
    self->tell([&] (Member &m) { m.channel_event("stream-added", uid); });
  // Who was told may have run the context's loop, and the speaker be gone again.
  auto it = self->remotes_.find(uid);
  if (it == self->remotes_.end())
    return;
  const bool moved = std::exchange(it->second.missing, nullptr) != nullptr;
  if (it->second.url.empty() || moved)
    self->subscribe(uid);
}

// At another gateway, a speaker that moves as we do may be missing for a while. It plays on from
// where it was, and is gone when that ends.
void SharedMembership::on_stream_removed(AgoraClient *, guint uid, SharedMembership *self) {
  auto it = self->remotes_.find(uid);
  if (it == self->remotes_.end())
    return;
  Remote &remote = it->second;
  if (self->hears(uid) && g_get_monotonic_time() - self->came_back_ < kCameBack)
    remote.missing = after(self->context_, kMissing, [self, uid] { self->removed(uid); });
  else
    self->removed(uid);
}

void SharedMembership::removed(std::uint32_t uid) {
  // The timer that calls it goes with it.
  auto gone = remotes_.extract(uid);
  if (gone.empty())
    return;
  tell([&] (Member &m) { m.speaker_removed(uid); }, &kListener);
  tell([&] (Member &m) { m.channel_event("stream-removed", uid); });
}

void SharedMembership::tell_url(std::uint32_t uid, const std::string &url, Member *alone) {
  const bool talks = agora_client_is_talkback(client_, uid);
  g_autofree char *name = agora_client_dup_name(client_, uid);
  tell(
      [&] (Member &m) {
        m.speaker_talks(uid, talks);
        m.speaker_named(uid, name ? name : "");
        m.speaker_url(uid, url);
      },
      &kListener, alone);
}

void SharedMembership::subscribe(std::uint32_t uid) {
  auto it = remotes_.find(uid);
  if (it == remotes_.end() || it->second.asking || !joined_ || !client_ || !has(Part::listener))
    return;
  it->second.pace.timer.reset();
  if (!can_ask()) {
    it->second.wanted = true;
    return;
  }
  it->second.asking = true;
  agora_client_subscribe_async(
      client_, uid, cancellable_, finished,
      call([this, uid] (GAsyncResult *result) { subscribed(uid, result); }));
}

void SharedMembership::subscribed(std::uint32_t uid, GAsyncResult *result) {
  g_autoptr(GError) error = nullptr;
  g_autofree char *url = agora_client_subscribe_finish(client_, result, nullptr, &error);
  auto it = remotes_.find(uid);
  if (it == remotes_.end() || g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  it->second.asking = false;
  if (url) {
    it->second.url = url;
    tell_url(uid, url);
  } else if (g_error_matches(error, AGORA_ERROR, AGORA_ERROR_NOT_PUBLISHING)) {
    // Its end comes as an event, or it is back and said so already.
    GST_INFO("%s", error->message);
    it->second.url.clear();
  } else if (!can_ask()) {
    it->second.wanted = true;
  } else {
    GST_INFO("will listen to %u later: %s", uid, error->message);
    it->second.pace.timer = after(context_, std::max(kFirstRetry, it->second.pace.next_ms()),
                                  [this, uid] { subscribe(uid); });
  }
}

}  // namespace agora
