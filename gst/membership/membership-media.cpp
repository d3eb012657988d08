// SPDX-License-Identifier: LGPL-2.1-or-later
// What a membership asks the gateway for: where to push, and where to play from.
#include <algorithm>
#include <utility>

#include "gst/membership/shared-membership.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_session_debug);
#define GST_CAT_DEFAULT agora_session_debug

namespace agora {
namespace {

constexpr unsigned kFirstRetry = RetryPace::kFirst;
constexpr unsigned kLastRetry = RetryPace::kLast;
// How long a client that came back may take to tell of new URLs by itself.
constexpr unsigned kNewUrls = 300;
// The same of the gateway's answer about a push that broke.
constexpr unsigned kAnswer = 500;

constexpr Part kHost = Part::host;
constexpr Part kListener = Part::listener;

}  // namespace

void SharedMembership::push_broke(Member *) {
  post(context_, [self = shared_from_this()] {
    if (!self->joined_ || !self->published_ || self->silenced_ || self->push_asked_ ||
        self->push_pace_.timer)
      return;
    if (!self->can_ask()) {
      self->push_wanted_ = true;
      self->push_url_is_late();
      return;
    }
    const unsigned pause = self->push_pace_.next_ms();
    if (pause > 0)
      self->push_url_is_late();
    self->push_pace_.timer =
        after(self->context_, pause, [raw = self.get()] { raw->ask_push_url(); });
  });
}

// At no pace of its own: one answer at a time is enough of one, and a repair needn't wait for it.
void SharedMembership::update_push_url(Member *) {
  post(context_, [self = shared_from_this()] {
    if (!self->push_asked_)
      self->ask_push_url();
  });
}

std::shared_ptr<SharedByListeners> SharedMembership::shared_by_listeners(
    const std::function<std::shared_ptr<SharedByListeners>()> &make) {
  std::lock_guard lock(mutex_);
  auto shared = shared_by_listeners_.lock();
  if (!shared)
    shared_by_listeners_ = shared = make();
  return shared;
}

void SharedMembership::unpublish(Member *) {
  {
    std::lock_guard lock(mutex_);
    host_ended_ = true;
  }
  post(context_, [self = shared_from_this()] { self->pursue(); });
}

void SharedMembership::offers_changed(Member *) {
  post(context_, [self = shared_from_this()] {
    self->reoffer_ = true;
    self->pursue();
  });
}

void SharedMembership::republish(Member *) {
  {
    std::lock_guard lock(mutex_);
    host_ended_ = false;
  }
  post(context_, [self = shared_from_this()] {
    self->pursue();
    // The end may never have been told, or both at once. The host has closed its session all the
    // same, and nobody else would tell it where the next one goes.
    if (self->published_)
      self->push_broke(nullptr);
  });
}

void SharedMembership::renew_token(Member *member, const std::string &token) {
  // The application's own client is the application's to renew.
  if (!own_client_)
    return;
  post(context_, [self = shared_from_this(), member, token] {
    // While the client tries to get in, the token is for its next try.
    if (!self->client_ || (!self->joined_ && !self->cause_))
      return;
    agora_client_renew_token_async(
        self->client_, token.c_str(), self->cancellable_, finished,
        self->call([raw = self.get(), member] (GAsyncResult *result) {
          g_autoptr(GError) error = nullptr;
          if (!agora_client_renew_token_finish(raw->client_, result, &error) &&
              !g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            raw->tell([&] (Member &m) { m.token_refused(*error); }, nullptr, member);
        }));
  });
}

/* What follows runs on the context's thread alone. */

bool SharedMembership::can_ask() const {
  return client_ && agora_client_get_state(client_) == AGORA_STATE_JOINED;
}

// The gateway is back. The client publishes and subscribes again by itself, and tells where a URL
// is another one: only what it says nothing of is asked for, or there would be two sessions.
void SharedMembership::ask_again() {
  if (std::exchange(push_wanted_, false) && !push_pace_.timer)
    push_pace_.timer = after(context_, kNewUrls, [this] { ask_push_url(); });
  for (auto &[uid, remote] : remotes_)
    if (std::exchange(remote.wanted, false) && !remote.asking && !remote.pace.timer)
      remote.pace.timer = after(context_, kNewUrls, [this, uid = uid] { subscribe(uid); });
}

// The operator's silence is no refusal: the host stays, and waits for its end.
void SharedMembership::on_silenced(AgoraClient *client, GParamSpec *, SharedMembership *self) {
  gboolean silenced = FALSE;
  g_object_get(client, "silenced", &silenced, nullptr);
  if (std::exchange(self->silenced_, silenced != FALSE) == (silenced != FALSE))
    return;
  if (silenced) {
    self->push_pace_.timer.reset();
    self->push_wanted_ = false;
  }
  self->tell([&] (Member &m) { m.silenced(silenced != FALSE); }, &kHost);
  self->pursue();
}

// One step towards what the members want: a host is a broadcaster that publishes, no host is an
// audience. One request at a time.
void SharedMembership::pursue() {
  if (!joined_ || busy_ || !client_ || agora_client_get_state(client_) != AGORA_STATE_JOINED)
    return;
  const bool host = has(Part::host);
  const bool broadcaster = agora_client_get_role(client_) == AGORA_ROLE_BROADCASTER;

  if (host && !broadcaster) {
    busy_ = true;
    agora_client_set_role_async(client_, AGORA_ROLE_BROADCASTER, cancellable_, finished,
                                call([this] (GAsyncResult *result) {
                                  g_autoptr(GError) error = nullptr;
                                  agora_client_set_role_finish(client_, result, &error);
                                  pursued(error == nullptr, error);
                                }));
  } else if (host && (!published_ || reoffer_) && !silenced_) {
    busy_ = true;
    publish();
  } else if (!host && published_) {
    busy_ = true;
    published_ = false;
    agora_client_unpublish_async(client_, cancellable_, finished,
                                 call([this] (GAsyncResult *result) {
                                   agora_client_unpublish_finish(client_, result, nullptr);
                                   pursued(true, nullptr);
                                 }));
  } else if (!host && broadcaster && own_client_) {
    busy_ = true;
    agora_client_set_role_async(client_, AGORA_ROLE_AUDIENCE, cancellable_, finished,
                                call([this] (GAsyncResult *result) {
                                  agora_client_set_role_finish(client_, result, nullptr);
                                  pursued(true, nullptr);
                                }));
  }
}

std::vector<VoiceCodec> SharedMembership::offers() {
  std::vector<VoiceCodec> offered;
  tell([&] (Member &m) { offered = m.offers(); }, &kHost);
  return offered;
}

// Whom the application's own client talks to is the application's to say, until the host does.
void SharedMembership::address() {
  UidList to;
  tell([&] (Member &m) { to = m.talk_to(); }, &kHost);
  if (to.empty() && !addressed_ && !own_client_)
    return;
  addressed_ = !to.empty();
  const std::vector<guint> uids(to.begin(), to.end());
  agora_client_set_talk_to(client_, uids.data(), uids.size(), nullptr);
}

// A host that has more to offer than AAC says so.
void SharedMembership::publish() {
  reoffer_ = false;
  address();
  const std::vector<VoiceCodec> offered = offers();
  std::vector<const char *> names;
  names.reserve(offered.size() + 1);
  for (const VoiceCodec each : offered)
    names.push_back(name_of(each));
  names.push_back(nullptr);
  offered_ = !offered.empty();
  const auto answered = [this] (bool ok, const char *aac_url, GError *error) {
    if (ok) {
      published_ = true;
      tell_mute();
      pushes_to(aac_url);
    } else if (published_) {
      // Or who was left out would hear it for as long as it lasts.
      reoffer_ = true;
    }
    pursued(ok, error);
  };
  if (!offered_)
    agora_client_publish_async(
        client_, cancellable_, finished, call([this, answered] (GAsyncResult *result) {
          g_autoptr(GError) error = nullptr;
          g_autofree char *url = agora_client_publish_finish(client_, result, &error);
          answered(url != nullptr, url, error);
        }));
  else
    agora_client_publish_codecs_async(
        client_, names.data(), cancellable_, finished,
        call([this, answered] (GAsyncResult *result) {
          g_autoptr(GError) error = nullptr;
          g_autoptr(GHashTable) urls = agora_client_publish_codecs_finish(client_, result, &error);
          answered(urls != nullptr, nullptr, error);
        }));
}

// The client has them all. Where nothing was offered there is one alone.
void SharedMembership::pushes_to(const char *aac_url) {
  push_urls_.clear();
  g_autoptr(GHashTable) urls = offered_ ? agora_client_dup_push_urls(client_) : nullptr;
  for (const VoiceCodec each : kVoiceCodecs)
    if (const gpointer url = urls ? g_hash_table_lookup(urls, name_of(each)) : nullptr)
      push_urls_[each] = static_cast<const char *>(url);
  if (push_urls_.empty() && aac_url)
    push_urls_[VoiceCodec::aac] = aac_url;
  tell([this] (Member &m) { m.push_urls(push_urls_); }, &kHost);
}

void SharedMembership::on_codecs_wanted(AgoraClient *, const char *const *names,
                                        SharedMembership *self) {
  VoiceCodecs wanted;
  for (; *names; ++names)
    if (const auto codec = voice_codec(*names))
      wanted.insert(*codec);
  if (!wanted.empty() && self->offered_)
    self->tell([&] (Member &m) { m.codecs_wanted(wanted); }, &kHost);
}

void SharedMembership::pursued(bool ok, GError *error) {
  busy_ = false;
  if (ok) {
    pursue();
    return;
  }
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  const bool refused = g_error_matches(error, AGORA_ERROR, AGORA_ERROR_NOT_PERMITTED);
  if (refused && silenced_)
    return;
  if (refused || agora_error_is_final(error)) {
    reoffer_ = false;
    fail_host(*error);
    return;
  }
  GST_INFO("will publish later: %s", error->message);
  retry_ = after(context_, kLastRetry / 2, [this] { pursue(); });
}

// What the others don't know yet, as soon as the gateway can be told; the last word counts.
void SharedMembership::tell_mute() {
  if (mute_asked_ || muted_ == told_muted_ || !joined_ || !published_ || !can_ask())
    return;
  mute_asked_ = true;
  agora_client_mute_local_async(client_, AGORA_TARGET_AUDIO, muted_, cancellable_, finished,
                                call([this, told = muted_] (GAsyncResult *result) {
                                  mute_asked_ = false;
                                  // Without an answer the gateway may know it, or not.
                                  told_muted_.reset();
                                  if (!agora_client_mute_local_finish(client_, result, nullptr))
                                    return;
                                  told_muted_ = told;
                                  tell_mute();
                                }));
}

void SharedMembership::ask_push_url() {
  push_pace_.timer.reset();
  if (!joined_ || !published_ || !client_)
    return;
  if (!can_ask()) {
    push_wanted_ = true;
    push_url_is_late();
    return;
  }
  push_asked_ = true;
  push_late_ = after(context_, kAnswer, [this] { push_url_is_late(); });
  agora_client_update_push_url_async(
      client_, cancellable_, finished, call([this] (GAsyncResult *result) {
        push_asked_ = false;
        push_late_.reset();
        g_autoptr(GError) error = nullptr;
        g_autofree char *url = agora_client_update_push_url_finish(client_, result, &error);
        if (url) {
          pushes_to(url);
        } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
          return;
        } else if (silenced_) {
          // The client publishes again when that ends, and tells the URL.
        } else if (agora_error_is_final(error) ||
                   g_error_matches(error, AGORA_ERROR, AGORA_ERROR_NOT_PERMITTED)) {
          fail_host(*error);
        } else if (!can_ask()) {
          push_wanted_ = true;
          push_url_is_late();
        } else if (joined_ && published_ && !push_pace_.timer) {
          push_pace_.timer = after(context_, std::max(kFirstRetry, push_pace_.next_ms()),
                                   [this] { ask_push_url(); });
          push_url_is_late();
        }
      }));
}

void SharedMembership::push_url_is_late() {
  push_late_.reset();
  tell([] (Member &m) { m.push_url_is_late(); }, &kHost);
}

}  // namespace agora
