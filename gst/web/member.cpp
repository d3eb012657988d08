// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/member.hpp"

#include <algorithm>
#include <utility>

#include "gst/common/signal-thread.hpp"
#include "gst/web/events.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::web {

namespace {

// How long the shared mix may hold a voice after its end: docs/elements.md, agora-stream-removed,
// and the mix's own latency.
constexpr unsigned last_words_ms = 2'000 + 2 * Mix::default_latency_ms;
// For the client: beyond it the page comes anew. In seconds.
constexpr int reconnect_timeout_s = 20;

}  // namespace

Member::Member(Surroundings &around, Identity identity)
    : around_(around), identity_(std::move(identity)) {
  g_autofree char *address = g_uri_escape_string(identity_.address.c_str(), nullptr, FALSE);
  const std::string gateway = around.configuration().gateway + "/member?address=" + address;
  client_.reset(AGORA_CLIENT(g_object_new(AGORA_TYPE_CLIENT, "gateway", gateway.c_str(),
                                          "reconnect-timeout", reconnect_timeout_s, "display-name",
                                          identity_.name.c_str(), nullptr)));
  connect_signals();
}

Member::~Member() {
  leave();
}

std::set<std::uint32_t> Member::audible() const {
  std::set<std::uint32_t> uids = on_air_;
  for (const std::uint32_t uid : taste_.unsubscribed)
    uids.erase(uid);
  return uids;
}

std::set<std::uint32_t> Member::wanted() const {
  std::set<std::uint32_t> uids = audible();
  if (uids.empty())
    uids.insert(agora_client_get_uid(client()));
  return uids;
}

// --- The channel

gpointer Member::later(Done done) {
  return new Done([weak = weak_from_this(), done = std::move(done)] (GAsyncResult *result) {
    const auto self = weak.lock();
    if (self && self->phase_ != Phase::over)
      done(result);
  });
}

void Member::finished(GObject *, GAsyncResult *result, gpointer data) {
  std::unique_ptr<Done> done(static_cast<Done *>(data));
  (*done)(result);
}

void Member::join() {
  phase_ = Phase::joining;
  agora_client_init_async(
      client(), identity_.app.c_str(), nullptr, finished, later([this] (GAsyncResult *init) {
        g_autoptr(GError) error = nullptr;
        if (!agora_client_init_finish(client(), init, &error)) {
          over(trouble_of(*error));
          return;
        }
        const char *token = identity_.token.empty() ? nullptr : identity_.token.c_str();
        const char *channel = identity_.channel.c_str();
        const gpointer done = later([this] (GAsyncResult *join) {
          g_autoptr(GError) refusal = nullptr;
          if (agora_client_join_finish(client(), join, &refusal) == 0)
            over(trouble_of(*refusal));
          else
            joined();
        });
        if (identity_.account.empty())
          agora_client_join_async(client(), token, channel, identity_.uid, nullptr, finished, done);
        else
          agora_client_join_account_async(client(), token, channel, identity_.account.c_str(),
                                          nullptr, finished, done);
      }));
}

void Member::joined() {
  phase_ = Phase::joined;
  for (const auto &session : sessions())
    admit(*session);
}

void Member::admit(Session &session) {
  if (session.kind() == Kind::kSpeak)
    become_broadcaster(session.shared_from_this());
  else
    session.admit(agora_client_get_uid(client()));
}

// Who may not publish is to hear so before the answer.
void Member::become_broadcaster(const std::shared_ptr<Session> &session) {
  agora_client_set_role_async(client(), AGORA_ROLE_BROADCASTER, nullptr, finished,
                              later([this, session] (GAsyncResult *result) {
                                g_autoptr(GError) error = nullptr;
                                const bool may =
                                    agora_client_set_role_finish(client(), result, &error);
                                if (session->is_closed()) {
                                  settle_role();
                                  return;
                                }
                                if (!may) {
                                  around_.over(*session, trouble_of(*error));
                                  return;
                                }
                                session->admit(agora_client_get_uid(client()));
                              }));
}

void Member::leave() {
  if (std::exchange(phase_, Phase::over) == Phase::over)
    return;
  for (const gulong handler : handlers_)
    g_signal_handler_disconnect(client(), handler);
  handlers_.clear();
  last_words_.reset();
  late_names_.clear();
  // The call keeps the client; where it is in no channel, that is all that ends.
  if (agora_client_get_state(client()) == AGORA_STATE_JOINED)
    agora_client_leave_async(client(), nullptr, nullptr, nullptr);
  else
    agora_client_destroy(client());
}

void Member::over(const Trouble &trouble) {
  const auto self = shared_from_this();
  for (const auto &session : sessions())
    around_.over(*session, trouble);
  leave();
}

// --- Its sessions

std::vector<std::shared_ptr<Session>> Member::sessions() const {
  std::vector<std::shared_ptr<Session>> all;
  if (hearing_)
    all.push_back(hearing_);
  if (speaking_)
    all.push_back(speaking_);
  return all;
}

void Member::add(const std::shared_ptr<Session> &session) {
  const Trouble replaced = {protocol::Code::bad_role_or_uid, "replaced by another session"};
  // Before the old one goes: with its last session a member leaves.
  if (session->kind() == Kind::kHear) {
    const auto old = std::exchange(hearing_, std::static_pointer_cast<Hearing>(session));
    if (old)
      around_.over(*old, replaced);
  } else {
    const auto old = std::exchange(speaking_, std::static_pointer_cast<Speaking>(session));
    if (old)
      around_.over(*old, replaced);
  }
  choose_mix();
  if (phase_ == Phase::outside)
    join();
  else if (phase_ == Phase::joined)
    admit(*session);
}

std::function<void()> Member::closed(const Session &session) {
  if (session.kind() == Kind::kHear || !static_cast<const Speaking &>(session).has_begun())
    return {};
  stopping_++;
  return [self = shared_from_this()] { self->voice_stopped(); };
}

void Member::remove(Session &session) {
  if (hearing_.get() == &session)
    hearing_.reset();
  else if (speaking_.get() == &session)
    speaking_.reset();
  if (!hearing_ && !speaking_) {
    leave();
    return;
  }
  settle_role();
  choose_mix();
  try_to_speak();
}

// Its publication has ended, as far as this end knows.
void Member::voice_stopped() {
  stopping_--;
  if (phase_ != Phase::joined)
    return;
  last_words_ = after(nullptr, last_words_ms, [this] {
    last_words_.reset();
    choose_mix();
  });
  settle_role();
  try_to_speak();
}

// Without a voice it is audience again, also where none ever began; unless the page has said
// otherwise.
void Member::settle_role() {
  if (phase_ == Phase::joined && !speaking_ && !broadcaster_ && stopping_ == 0 &&
      agora_client_get_role(client()) == AGORA_ROLE_BROADCASTER)
    agora_client_set_role_async(client(), AGORA_ROLE_AUDIENCE, nullptr, nullptr, nullptr);
}

void Member::answered(Session &session) {
  present(session);
  try_to_speak();
}

void Member::connected(Session &session) {
  if (&session == speaking_.get())
    try_to_speak();
}

// On the air only when nobody hears itself by it: what this member hears is a mix of its own by
// then. And one voice at a time.
void Member::try_to_speak() {
  if (phase_ != Phase::joined || !speaking_ || !speaking_->is_answered() ||
      !speaking_->is_connected() || stopping_ > 0 || (hearing_ && !hearing_->is_own()))
    return;
  speaking_->begin(own_muted_);
}

void Member::choose_mix() {
  if (hearing_)
    hearing_->want_own(speaking_ || stopping_ > 0 || last_words_ || !taste_.is_default());
}

void Member::tell(const char *name, const std::string &text) {
  for (const auto &session : sessions())
    session->tell(name, text);
}

// Its name comes first, so that whoever is told of the stream can name it.
void Member::tell_added(Session &session, std::uint32_t uid) const {
  const CharPtr name(agora_client_dup_name(client(), uid));
  if (name)
    session.tell("member-named", events::named(uid, name.get()));
  session.tell("stream-added", events::about(uid));
}

bool Member::tell_name(std::uint32_t uid) const {
  const CharPtr name(agora_client_dup_name(client(), uid));
  const std::string text = events::named(uid, name ? name.get() : "");
  bool room = true;
  for (const auto &session : sessions())
    room = session->tell_if_room("member-named", text) && room;
  return room;
}

void Member::present(Session &session) const {
  session.tell("joined", events::about(agora_client_get_uid(client())));
  for (const std::uint32_t uid : on_air_)
    tell_added(session, uid);
  for (const std::uint32_t uid : muted_)
    session.tell("mute-audio", events::about(uid));
  session.tell(on_air_.empty() ? "inactive" : "active", events::nothing());
  gboolean silenced = FALSE;
  g_object_get(client(), "silenced", &silenced, nullptr);
  if (silenced)
    session.tell("silenced", events::nothing());
}

// --- What the channel tells

void Member::connect_signals() {
  const auto connect = [this] (const char *signal, GCallback handler) {
    handlers_.push_back(g_signal_connect(client(), signal, handler, this));
  };
  connect("stream-added", G_CALLBACK(on_stream_added));
  connect("stream-removed", G_CALLBACK(on_stream_removed));
  connect("mute-audio", G_CALLBACK(on_mute_audio));
  connect("unmute-audio", G_CALLBACK(on_unmute_audio));
  connect("member-named", G_CALLBACK(on_member_named));
  connect("member-joined", G_CALLBACK(on_member_joined));
  connect("member-left", G_CALLBACK(on_member_left));
  connect("data", G_CALLBACK(on_data));
  connect("error", G_CALLBACK(on_error));
  connect("reconnecting", G_CALLBACK(on_reconnecting));
  connect("reconnected", G_CALLBACK(on_reconnected));
  // Told under their own names.
  static constexpr const char *plain[] = {"silenced", "unsilenced", "token-privilege-will-expire",
                                          "token-privilege-did-expire", "client-banned"};
  for (const char *name : plain) {
    struct Told {
      Member *self;
      const char *name;
    };
    handlers_.push_back(g_signal_connect_data(
        client(), name, G_CALLBACK(+[] (AgoraClient *, Told *told) noexcept {
          told->self->tell(told->name, events::nothing());
        }),
        new Told{this, name},
        [] (gpointer told, GClosure *) noexcept { delete static_cast<Told *>(told); },
        static_cast<GConnectFlags>(0)));
  }
}

void Member::on_stream_added(AgoraClient *, guint uid, Member *self) noexcept {
  const bool first = self->on_air_.empty();
  if (self->on_air_.insert(uid).second && self->hearing_)
    self->hearing_->adapt();
  for (const auto &session : self->sessions())
    self->tell_added(*session, uid);
  if (first)
    self->tell("active", events::nothing());
}

void Member::on_stream_removed(AgoraClient *, guint uid, Member *self) noexcept {
  self->muted_.erase(uid);
  self->late_names_.forget(uid);
  if (self->on_air_.erase(uid) > 0 && self->hearing_)
    self->hearing_->adapt();
  self->tell("stream-removed", events::about(uid));
  if (self->on_air_.empty())
    self->tell("inactive", events::nothing());
}

void Member::on_mute_audio(AgoraClient *, guint uid, Member *self) noexcept {
  self->muted_.insert(uid);
  self->tell("mute-audio", events::about(uid));
}

void Member::on_unmute_audio(AgoraClient *, guint uid, Member *self) noexcept {
  self->muted_.erase(uid);
  self->tell("unmute-audio", events::about(uid));
}

// Of one that isn't on the air yet, its stream brings it: a session may begin in between.
void Member::on_member_named(AgoraClient *, guint uid, const char *, Member *self) noexcept {
  if (self->on_air_.contains(uid))
    self->late_names_.changed(uid);
}

bool Member::tell_list(Session &session) const {
  gsize count = 0;
  g_autofree guint *uids = agora_client_dup_members(client(), &count);
  std::vector<std::pair<std::uint32_t, std::string>> members;
  members.reserve(count);
  for (gsize i = 0; i < count; i++) {
    g_autofree char *name = agora_client_dup_name(client(), uids[i]);
    members.emplace_back(uids[i], name ? name : "");
  }
  auto parts = events::lists(members, web_line::max_event);
  return std::all_of(parts.begin(), parts.end(), [&] (std::string &part) {
    return session.tell_if_room("members", std::move(part));
  });
}

void Member::tell_lists(const char *name, const std::string &text) const {
  for (const auto &session : sessions())
    if (session->lists())
      session->tell(name, text);
}

void Member::on_member_joined(AgoraClient *, guint uid, const char *name, Member *self) noexcept {
  self->tell_lists("member-joined", events::named(uid, name));
}

void Member::on_member_left(AgoraClient *, guint uid, Member *self) noexcept {
  self->tell_lists("member-left", events::about(uid));
}

// Others say as much as they like: what is said while the gateway is far behind is lost, as it is
// for who isn't there.
void Member::on_data(AgoraClient *, guint uid, const char *text, Member *self) noexcept {
  for (const auto &session : self->sessions())
    session->tell_if_room("data", events::data(uid, text));
}

// What ends the membership; after all else the client goes on by itself.
void Member::on_error(AgoraClient *client, GError *error, Member *self) noexcept {
  if (agora_client_get_state(client) == AGORA_STATE_FAILED && self->phase_ == Phase::joined)
    self->over(trouble_of(*error));
}

void Member::on_reconnecting(AgoraClient *, GError *cause, Member *self) noexcept {
  self->tell("reconnecting", events::cause(cause->message));
}

void Member::on_reconnected(AgoraClient *, guint ms, Member *self) noexcept {
  self->tell("reconnected", events::after(ms));
}

}  // namespace agora::web
