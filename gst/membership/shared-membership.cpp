// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/membership/shared-membership.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

GST_DEBUG_CATEGORY(agora_session_debug);
#define GST_CAT_DEFAULT agora_session_debug

namespace agora {
namespace {

constexpr Part kHost = Part::host;
constexpr Part kListener = Part::listener;
GMainContext *context_for (const ChannelSettings &settings) {
  return settings.client ? agora_client_get_main_context(settings.client) : signal_context();
}

void init_debug () {
  static const bool done = [] {
    GST_DEBUG_CATEGORY_INIT(agora_session_debug, "agorasession", 0, "membership of a channel");
    return true;
  }();
  (void)done;
}

}  // namespace

SharedMembership::SharedMembership(const ChannelSettings &settings)
    : settings_([&] {
        ChannelSettings s = settings;
        s.client = nullptr;
        return s;
      }()),
      shared_(settings.client),
      own_client_(settings.client == nullptr),
      context_(g_main_context_ref(context_for(settings))),
      client_(settings.client ? AGORA_CLIENT(g_object_ref(settings.client)) : nullptr),
      cancellable_(g_cancellable_new()) {
  init_debug();
}

SharedMembership::~SharedMembership() {
  // The last callback has run, or never will: a client that is left here never began.
  g_clear_object(&client_);
  g_clear_object(&cancellable_);
  g_clear_error(&cause_);
  g_main_context_unref(context_);
}

void SharedMembership::mute_local(Member *, bool mute) {
  post(context_, [self = shared_from_this(), mute] {
    self->muted_ = mute;
    self->tell_mute();
  });
}

std::uint32_t SharedMembership::uid() const {
  std::lock_guard lock(mutex_);
  return uid_;
}

const char *SharedMembership::state() const {
  std::lock_guard lock(mutex_);
  switch (state_) {
    case AGORA_STATE_IDLE:
      return "idle";
    case AGORA_STATE_CONNECTING:
      return "connecting";
    case AGORA_STATE_JOINED:
      return "joined";
    case AGORA_STATE_RECONNECTING:
      return "reconnecting";
    case AGORA_STATE_LEAVING:
      return "leaving";
    case AGORA_STATE_FAILED:
      return "failed";
  }
  return "idle";
}

/* What follows runs on the context's thread alone. */

gpointer SharedMembership::call(Done done) {
  // What was under way when the client was dropped is cancelled; there is nobody to ask about it.
  return new std::function(
      [self = shared_from_this(), stay = stay_, done = std::move(done)] (GAsyncResult *result) {
        // What was asked before the goodbye concerns nobody any more, nor is there a client to ask.
        if (!self->gone_ && stay == self->stay_)
          done(result);
      });
}

void SharedMembership::finished(GObject *, GAsyncResult *result, gpointer data) {
  std::unique_ptr<Done> done(static_cast<Done *>(data));
  (*done)(result);
}

// For the media. The element's own, or else that of the application's client.
bool SharedMembership::read_ca_file() {
  g_autofree char *of_client = nullptr;
  if (!own_client_ && settings_.ca_file.empty())
    g_object_get(client_, "ca-file", &of_client, nullptr);
  g_autoptr(GError) error = nullptr;
  auto authorities = read_authorities(of_client ? of_client : settings_.ca_file, &error);
  if (error) {
    fail(*error);
    return false;
  }
  std::lock_guard lock(mutex_);
  authorities_ = std::move(authorities);
  return true;
}

void SharedMembership::begin() {
  began_ = true;
  if (!read_ca_file())
    return;
  if (!own_client_) {
    connect_signals();
    on_state(client_, nullptr, this);
    if (agora_client_get_state(client_) == AGORA_STATE_JOINED)
      on_joined();
    return;
  }
  client_ = AGORA_CLIENT(g_object_new(
      AGORA_TYPE_CLIENT, "gateway", settings_.gateway.c_str(), "ap-url",
      settings_.ap_url.empty() ? nullptr : settings_.ap_url.c_str(), "ca-file",
      settings_.ca_file.empty() ? nullptr : settings_.ca_file.c_str(), "connect-timeout",
      settings_.connect_timeout_ms, "reconnect-timeout", settings_.reconnect_timeout_s,
      "retry-first-join", settings_.retry_first_join, "display-name",
      settings_.display_name.empty() ? nullptr : settings_.display_name.c_str(), nullptr));
  std::vector<const char *> hears;
  for (const VoiceCodec each : {VoiceCodec::opus, VoiceCodec::aac})
    if (settings_.hears.contains(each))
      hears.push_back(name_of(each));
  hears.push_back(nullptr);
  g_object_set(client_, "hears", hears.data(), nullptr);
  connect_signals();
  agora_client_init_async(client_, settings_.app_id.c_str(), cancellable_, finished,
                          call([this] (GAsyncResult *result) {
                            g_autoptr(GError) error = nullptr;
                            if (agora_client_init_finish(client_, result, &error))
                              join();
                            else
                              fail(*error);
                          }));
}

void SharedMembership::join() {
  // Before the join it only says what to join as; nothing is sent.
  agora_client_set_role_async(client_,
                              has(Part::host) ? AGORA_ROLE_BROADCASTER : AGORA_ROLE_AUDIENCE,
                              cancellable_, nullptr, nullptr);
  agora_client_join_async(client_, settings_.token.empty() ? nullptr : settings_.token.c_str(),
                          settings_.channel.c_str(), settings_.uid, cancellable_, finished,
                          call([this] (GAsyncResult *result) {
                            g_autoptr(GError) error = nullptr;
                            if (agora_client_join_finish(client_, result, &error))
                              on_joined();
                            else
                              fail(*error);
                          }));
}

void SharedMembership::on_joined() {
  if (joined_)
    return;
  joined_ = true;
  {
    std::lock_guard lock(mutex_);
    uid_ = agora_client_get_uid(client_);
  }
  GST_INFO("in channel %s as %u", settings_.channel.c_str(), uid());
  tell([this] (Member &m) { m.joined(uid()); });
  if (!own_client_)
    adopt_speakers();
  if (has(Part::listener))
    for (auto &[uid, remote] : remotes_)
      subscribe(uid);
  report_soon();
  pursue();
  list_members();
}

// The application's client is out of the channel; it may come back, or go to another one.
void SharedMembership::on_out() {
  if (!joined_)
    return;
  joined_ = busy_ = published_ = push_asked_ = push_wanted_ = silenced_ = false;
  told_muted_ = false;
  mute_asked_ = false;
  stay_++;
  push_urls_.clear();
  push_pace_ = {};
  push_late_.reset();
  retry_.reset();
  report_timer_.reset();
  end_list();
  for (auto &[uid, remote] : std::exchange(remotes_, {})) {
    tell([uid = uid] (Member &m) { m.speaker_removed(uid); }, &kListener);
    tell([uid = uid] (Member &m) { m.channel_event("stream-removed", uid); });
  }
}

// A member that came after the join learns what the others know.
void SharedMembership::welcome(Member *member) {
  tell([this] (Member &m) { m.joined(uid()); }, nullptr, member);
  if (silenced_) {
    tell([] (Member &m) { m.silenced(true); }, &kHost, member);
    tell([] (Member &m) { m.channel_event("silenced", 0); }, nullptr, member);
  }
  // One after another by uid: who is told may run the context's loop, and speakers come and go.
  for (auto it = remotes_.begin(); it != remotes_.end();) {
    const std::uint32_t uid = it->first;
    const std::string url = it->second.url;
    if (url.empty())
      subscribe(uid);
    else
      tell_url(uid, url, member);
    it = remotes_.upper_bound(uid);
  }
  welcome_to_list(member);
  pursue();
}

void SharedMembership::fail(const GError &error) {
  {
    std::lock_guard lock(mutex_);
    dead_ = true;
  }
  joined_ = false;
  g_clear_error(&cause_);
  if (!g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    tell([&] (Member &m) { m.failed(error); });
}

void SharedMembership::fail_host(const GError &error) {
  tell([&] (Member &m) { m.failed(error); }, &kHost);
}

void SharedMembership::drop_client() {
  for (gulong handler : handlers_)
    g_signal_handler_disconnect(client_, handler);
  handlers_.clear();
  g_clear_object(&client_);
}

// The last member is gone.
void SharedMembership::goodbye() {
  {
    std::lock_guard lock(mutex_);
    // One that came in between keeps the membership.
    if (!entries_.empty())
      return;
    dead_ = true;
  }
  retry_.reset();
  report_timer_.reset();
  list_retry_.reset();
  push_pace_.timer.reset();
  push_late_.reset();
  remotes_.clear();
  auto done = [self = shared_from_this()] {
    {
      std::lock_guard lock(self->mutex_);
      self->left_ = true;
      self->state_ = AGORA_STATE_IDLE;
    }
    self->idle_.notify_all();
  };
  gone_ = true;
  g_cancellable_cancel(cancellable_);
  if (!client_ || !began_) {
    done();
    return;
  }
  if (!own_client_) {
    if (published_ && joined_)
      agora_client_unpublish_async(client_, nullptr, nullptr, nullptr);
    joined_ = false;
    drop_client();
    done();
    return;
  }
  const bool was_joined = std::exchange(joined_, false);
  for (gulong handler : handlers_)
    g_signal_handler_disconnect(client_, handler);
  handlers_.clear();
  if (!was_joined) {
    agora_client_destroy(client_);
    g_clear_object(&client_);
    done();
    return;
  }
  agora_client_leave_async(client_, nullptr, finished,
                           new Done([this, done] (GAsyncResult *result) {
                             agora_client_leave_finish(client_, result, nullptr);
                             g_clear_object(&client_);
                             done();
                           }));
}

void SharedMembership::on_update_url(AgoraClient *, guint uid, const char *url,
                                     SharedMembership *self) {
  if (uid == self->uid()) {
    self->push_pace_.timer.reset();
    self->push_wanted_ = false;
    if (self->published_)
      self->pushes_to(url);
    return;
  }
  auto it = self->remotes_.find(uid);
  if (it == self->remotes_.end())
    return;
  // That is what was to be asked for.
  it->second.pace.timer.reset();
  it->second.wanted = false;
  it->second.url = url;
  self->tell_url(uid, url);
}

// The client emits it for what ends the membership, and for faults it goes on after by itself.
void SharedMembership::on_error(AgoraClient *client, GError *error, SharedMembership *self) {
  if (agora_client_get_state(client) == AGORA_STATE_FAILED) {
    self->fail(*error);
    return;
  }
  GST_INFO("%s", error->message);
  // The gateway that it came back to doesn't let the host publish what it did before, or not for a
  // few alone: there is nothing left to ask a push URL for.
  if (!self->published_ || !g_error_matches(error, AGORA_ERROR, AGORA_ERROR_NOT_PERMITTED))
    return;
  g_autoptr(GHashTable) urls = agora_client_dup_push_urls(client);
  if (urls)
    return;
  self->published_ = false;
  self->fail_host(*error);
}

void SharedMembership::on_reconnecting(AgoraClient *, GError *cause, SharedMembership *self) {
  g_clear_error(&self->cause_);
  self->cause_ = g_error_copy(cause);
  self->tell([&] (Member &m) { m.reconnecting(*cause); });
}

void SharedMembership::on_reconnected(AgoraClient *, guint ms, SharedMembership *self) {
  g_clear_error(&self->cause_);
  self->came_back_ = g_get_monotonic_time();
  self->tell([&] (Member &m) { m.reconnected(ms * GST_MSECOND); });
  self->ask_again();
  self->tell_mute();
  self->pursue();
  self->list_members();
}

void SharedMembership::on_state(AgoraClient *client, GParamSpec *, SharedMembership *self) {
  const AgoraState state = agora_client_get_state(client);
  {
    std::lock_guard lock(self->mutex_);
    self->state_ = state;
  }
  if (self->own_client_)
    return;
  if (state == AGORA_STATE_JOINED) {
    {
      std::lock_guard lock(self->mutex_);
      self->dead_ = false;
    }
    self->on_joined();
  } else if (state != AGORA_STATE_RECONNECTING) {
    self->on_out();
  }
}

}  // namespace agora
