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
// What a gateway that we come back to has to say of those who aren't there, it says at once.
constexpr gint64 kCameBack = G_TIME_SPAN_SECOND;
// More than the half of a minute's drain, within which everybody moves.
constexpr unsigned kMissing = 40'000;

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

bool SharedMembership::fits(const ChannelSettings &s) const {
  std::lock_guard lock(mutex_);
  if (dead_ || left_ || entries_.empty())
    return false;
  if (s.client || !own_client_)
    return s.client && s.client == shared_;
  return s.gateway == settings_.gateway && s.ap_url == settings_.ap_url &&
         s.ca_file == settings_.ca_file && s.app_id == settings_.app_id &&
         s.channel == settings_.channel &&
         (s.uid == 0 || s.uid == settings_.uid || s.uid == uid_) &&
         (s.token.empty() || s.token == settings_.token);
}

bool SharedMembership::add(GstElement *element, Member *member, Part part, GError **error) {
  std::lock_guard lock(mutex_);
  const bool taken = std::any_of(entries_.begin(), entries_.end(),
                                 [] (const Entry &e) { return e.part == Part::host; });
  if (part == Part::host && taken) {
    g_set_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ORDER,
                "another agorasink of this pipeline speaks in channel “%s” already; a second one "
                "needs a uid of its own",
                settings_.channel.c_str());
    return false;
  }
  if (part == Part::host)
    host_ended_ = false;
  entries_.push_back({element, member, part});
  // Who waits for the goodbye needn't: there is none.
  idle_.notify_all();
  return true;
}

bool SharedMembership::has(Part part) const {
  std::lock_guard lock(mutex_);
  return std::any_of(entries_.begin(), entries_.end(), [&] (const Entry &e) {
    return e.entered && e.part == part && (part != Part::host || !host_ended_);
  });
}

// With the lock held.
bool SharedMembership::calls(const Member *member) const {
  return std::find(calling_.begin(), calling_.end(), member) != calling_.end();
}

// Calls every member, or those of one part, or one alone, without the lock.
void SharedMembership::tell(const std::function<void(Member &)> &what, const Part *only,
                            Member *alone) {
  std::vector<Member *> members;
  {
    std::lock_guard lock(mutex_);
    for (const Entry &e : entries_)
      if (e.entered && (!only || e.part == *only) && (!alone || e.member == alone))
        members.push_back(e.member);
  }
  for (Member *member : members) {
    // Given back after the lock is: the last one would end the element here.
    ObjectPtr<GstElement> element;
    {
      std::lock_guard lock(mutex_);
      auto it = std::find_if(entries_.begin(), entries_.end(),
                             [&] (const Entry &e) { return e.member == member; });
      if (it == entries_.end())
        continue;
      element.reset(GST_ELEMENT(gst_object_ref(it->element)));
      calling_.push_back(member);
      caller_ = std::this_thread::get_id();
    }
    what(*member);
    std::vector<std::shared_ptr<void>> over;
    {
      std::lock_guard lock(mutex_);
      calling_.pop_back();
      if (!calls(member))
        std::erase_if(held_, [&] (auto &each) {
          if (each.first != member)
            return false;
          over.push_back(std::move(each.second));
          return true;
        });
    }
    // It may hold the last reference to this, which whoever called us still needs.
    if (!over.empty())
      post(context_, [over = std::move(over)] {});
    idle_.notify_all();
  }
}

void SharedMembership::run(Member *member, std::function<void()> what) {
  post(context_, [self = shared_from_this(), member, what = std::move(what)] {
    self->tell([&] (Member &) { what(); }, nullptr, member);
  });
}

void SharedMembership::run(std::function<void()> what) {
  post(context_, std::move(what));
}

void SharedMembership::enter(Member *member) {
  post(context_, [self = shared_from_this(), member] {
    {
      std::lock_guard lock(self->mutex_);
      for (Entry &e : self->entries_)
        if (e.member == member)
          e.entered = true;
    }
    if (!self->began_)
      self->begin();
    else if (self->joined_)
      self->welcome(member);
    else if (self->cause_)
      self->tell([&] (Member &m) { m.reconnecting(*self->cause_); }, nullptr, member);
  });
}

bool SharedMembership::leave(Member *member, GstClockTime budget) {
  using std::chrono::steady_clock;
  // When somebody last waited in vain for a goodbye. A pipeline has only one time limit for all of
  // its elements, which stop one after the other.
  static std::atomic<steady_clock::time_point> in_vain;
  constexpr auto just_now = std::chrono::milliseconds(200);
  constexpr auto short_budget = std::chrono::milliseconds(50);
  const auto now = steady_clock::now();
  const auto until =
      now - in_vain.load() < just_now ? now + short_budget : now + std::chrono::nanoseconds(budget);
  std::unique_lock lock(mutex_);
  std::erase_if(entries_, [&] (const Entry &e) { return e.member == member; });
  // Not for a callback that calls us itself: that would wait for ever.
  const bool own_call = caller_ == std::this_thread::get_id();
  bool quiet = !calls(member);
  if (!quiet && !own_call)
    quiet = idle_.wait_until(lock, until, [&] { return !calls(member); });
  const bool last = entries_.empty();
  bool said = true;
  lock.unlock();
  post(context_, [self = shared_from_this(), last] { last ? self->goodbye() : self->pursue(); });
  lock.lock();
  // Never for the application's own loop, which may not run.
  if (last && quiet && own_client_ && !own_call)
    said = idle_.wait_until(lock, until, [&] { return left_ || !entries_.empty(); });
  if (!said || (!quiet && !own_call))
    in_vain = steady_clock::now();
  return quiet;
}

void SharedMembership::hold(Member *member, std::shared_ptr<void> what) {
  std::lock_guard lock(mutex_);
  if (calls(member))
    held_.emplace_back(member, std::move(what));
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
      "retry-first-join", settings_.retry_first_join, nullptr));
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
  pursue();
}

// The application's client was in the channel before we were: what it was told then, it tells now.
void SharedMembership::adopt_speakers() {
  gsize count = 0;
  g_autofree guint *uids = agora_client_dup_speakers(client_, &count);
  for (gsize i = 0; i < count; i++)
    on_stream_added(client_, uids[i], this);
}

// The application's client is out of the channel; it may come back, or go to another one.
void SharedMembership::on_out() {
  if (!joined_)
    return;
  joined_ = busy_ = published_ = push_asked_ = push_wanted_ = silenced_ = false;
  told_muted_ = mute_asked_ = false;
  stay_++;
  push_url_.clear();
  push_pace_ = {};
  retry_.reset();
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
      tell([&] (Member &m) { m.speaker_url(uid, url); }, &kListener, member);
    it = remotes_.upper_bound(uid);
  }
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
  push_pace_.timer.reset();
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

void SharedMembership::on_update_url(AgoraClient *, guint uid, const char *url,
                                     SharedMembership *self) {
  if (uid == self->uid()) {
    self->push_url_ = url;
    self->push_pace_.timer.reset();
    self->push_wanted_ = false;
    if (self->published_)
      self->tell([&] (Member &m) { m.push_url(url); }, &kHost);
    return;
  }
  auto it = self->remotes_.find(uid);
  if (it == self->remotes_.end())
    return;
  // That is what was to be asked for.
  it->second.pace.timer.reset();
  it->second.wanted = false;
  it->second.url = url;
  self->tell([&] (Member &m) { m.speaker_url(uid, url); }, &kListener);
}

// The client emits it for what ends the membership, and for faults it goes on after by itself.
void SharedMembership::on_error(AgoraClient *client, GError *error, SharedMembership *self) {
  if (agora_client_get_state(client) == AGORA_STATE_FAILED)
    self->fail(*error);
  else
    GST_INFO("%s", error->message);
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
