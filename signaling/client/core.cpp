// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client/core.hpp"

#include <algorithm>
#include <utility>

#include "signaling/client/log.hpp"
#include "signaling/support/guarded.hpp"

namespace agora::client {
namespace {

Millis now_ms () {
  return g_get_monotonic_time() / 1000;
}

// 32 upper-case hex digits.
std::string new_sid () {
  g_autofree char *uuid = g_uuid_string_random();
  std::string sid;
  for (const char *c = uuid; *c != '\0'; ++c)
    if (*c != '-')
      sid += g_ascii_toupper(*c);
  return sid;
}

GError *to_gerror (const Trouble &trouble) {
  return g_error_new_literal(AGORA_ERROR, trouble.code, trouble.text.c_str());
}

}  // namespace

// One call of the application. Its cancelling is heard on the core's context.
struct Core::Call {
  Core *core;
  Ticket ticket;
  ObjectPtr<GTask> task;
  SourcePtr cancelled;
};

AgoraState state_of (Phase phase) {
  switch (phase) {
    case Phase::idle:
      return AGORA_STATE_IDLE;
    case Phase::opening:
    case Phase::joining:
    case Phase::pausing:
      return AGORA_STATE_CONNECTING;
    case Phase::joined:
      return AGORA_STATE_JOINED;
    case Phase::waiting:
    case Phase::reopening:
    case Phase::rejoining:
      return AGORA_STATE_RECONNECTING;
    case Phase::leaving:
      return AGORA_STATE_LEAVING;
    case Phase::failed:
      break;
  }
  return AGORA_STATE_FAILED;
}

AgoraRole role_of (protocol::Role role) {
  return role == protocol::Role::broadcaster ? AGORA_ROLE_BROADCASTER : AGORA_ROLE_AUDIENCE;
}

Core::Core(GObject *owner, Observer *observer)
    : owner_(owner),
      observer_(observer),
      context_(g_main_context_ref_thread_default()),
      transport_(make_soup_transport(context_.get(), this)),
      machine_(g_random_int()),
      seen_(look()),
      timer_([this] { happen(Tick{}); }, context_.get()) {
  // No earlier than that in its microseconds.
  machine_.limits.beat = [] (Millis due) noexcept {
    return (common_moment(due * 1000) + 999) / 1000;
  };
}

Core::~Core() = default;

Core::Seen Core::look() const {
  return {state_of(machine_.phase()), machine_.uid(),          machine_.role(),
          machine_.channel(),         machine_.app_id(),       machine_.silenced(),
          machine_.codecs_wanted(),   machine_.lists_members()};
}

void Core::call(ObjectPtr<GTask> task, const std::function<Happening(Ticket)> &make) {
  if (g_task_return_error_if_cancelled(task.get()))
    return;
  auto call = std::make_unique<Call>();
  Ticket ticket = ++last_ticket_;
  call->core = this;
  call->ticket = ticket;
  if (GCancellable *cancellable = g_task_get_cancellable(task.get())) {
    call->cancelled.reset(g_cancellable_source_new(cancellable));
    GCancellableSourceFunc on_cancelled = [] (GCancellable *, gpointer data) noexcept -> gboolean {
      auto *which = static_cast<Call *>(data);
      which->core->cancel(which->ticket);
      return G_SOURCE_REMOVE;
    };
    g_source_set_callback(call->cancelled.get(), G_SOURCE_FUNC(on_cancelled), call.get(), nullptr);
    g_source_attach(call->cancelled.get(), context_.get());
  }
  call->task = std::move(task);
  calls_[ticket] = std::move(call);
  happen(make(ticket));
}

void Core::happen(const Happening &happening) noexcept {
  guarded("AgoraClient", [&] {
    step(happening);
    drain();
  });
}

void Core::step(const Happening &happening) {
  std::vector<Action> actions = machine_.step(happening, now_ms());
  std::move(actions.begin(), actions.end(), std::back_inserter(to_do_));
}

void Core::cancel(Ticket ticket) noexcept {
  guarded("cancelling a call of AgoraClient", [&] {
    step(Cancel{ticket});
    // Whatever the task is given, GTask returns G_IO_ERROR_CANCELLED.
    to_do_.emplace_back(Finish{ticket, std::nullopt, 0, {}, 0});
    drain();
  });
}

// A callback of the application may call in here again: its actions come after those that wait.
void Core::drain() {
  if (draining_)
    return;
  g_object_ref(owner_);
  draining_ = true;
  notify_changes();
  while (!to_do_.empty()) {
    Action action = std::move(to_do_.front());
    to_do_.erase(to_do_.begin());
    std::visit([&] (const auto &what) { act(what); }, action);
    notify_changes();
  }
  draining_ = false;
  arm_timer();
  // This may be the last reference: touch nothing of this object after it.
  g_object_unref(owner_);
}

void Core::quiet() {
  observer_ = nullptr;
  happen(Destroy{});
}

void Core::notify_changes() {
  Seen before = std::exchange(seen_, look());
  auto changed = [&] (bool different, const char *property) {
    if (different && observer_ != nullptr)
      observer_->changed(property);
  };
  // A handler may change properties again; the next call finds those changes.
  Seen now = seen_;
  changed(before.app_id != now.app_id, "app-id");
  changed(before.channel != now.channel, "channel");
  changed(before.uid != now.uid, "uid");
  changed(before.role != now.role, "role");
  changed(before.silenced != now.silenced, "silenced");
  changed(before.codecs_wanted != now.codecs_wanted, "codecs-wanted");
  changed(before.lists_members != now.lists_members, "lists-members");
  changed(before.state != now.state, "state");
}

void Core::arm_timer() {
  if (const std::optional<Millis> next = machine_.next_tick())
    timer_.at(*next * 1000);
  else
    timer_.stop();
}

void Core::note(AgoraLogLevel level, const std::string &text) const {
  log_line(level, machine_.channel(), machine_.uid(), text);
}

// What the machine wants done.

void Core::act(const Open &open) {
  sid_ = new_sid();
  // After a first try, one that hangs is given up sooner: a new try sends a packet at once, while
  // the kernel's retransmissions come at ever longer intervals.
  const Limits &limits = machine_.limits;
  destination.connect_timeout_ms = static_cast<unsigned>(
      machine_.is_retrying() ? std::min(limits.connect, limits.try_again) : limits.connect);
  destination.choose = {open.app_id, open.channel, open.uid, sid_, g_get_real_time() / 1000000};
  note(AGORA_LOG_LEVEL_INFO,
       "connecting to " + (destination.ap_url.empty() ? destination.gateway : destination.ap_url));
  transport_->open(destination);
}

void Core::act(const Send &send) {
  protocol::ClientMessage message = send.message;
  message.envelope.ts = g_get_real_time() / 1000000;
  transport_->send(protocol::encode(message));
}

void Core::act(const Close &) {
  transport_->close();
}

void Core::act(const Finish &finish) {
  auto found = calls_.find(finish.ticket);
  if (found == calls_.end())
    return;
  std::unique_ptr<Call> call = std::move(found->second);
  calls_.erase(found);
  call->cancelled.reset();
  if (finish.trouble)
    g_task_return_error(call->task.get(), to_gerror(*finish.trouble));
  else
    g_task_return_pointer(
        call->task.get(),
        new Reply{finish.uid, finish.url, finish.rotation, finish.urls, finish.more},
        [] (gpointer reply) noexcept { delete static_cast<Reply *>(reply); });
}

void Core::act(const Emit &emit) {
  if (observer_ != nullptr)
    observer_->event(emit.event);
}

void Core::act(const EmitError &emit) {
  note(AGORA_LOG_LEVEL_ERROR, emit.trouble.text);
  g_autoptr(GError) error = to_gerror(emit.trouble);
  if (observer_ != nullptr)
    observer_->error(error);
}

void Core::act(const EmitReconnecting &emit) {
  note(AGORA_LOG_LEVEL_WARNING, "reconnecting: " + emit.cause.text);
  g_autoptr(GError) error = to_gerror(emit.cause);
  if (observer_ != nullptr)
    observer_->reconnecting(error);
}

void Core::act(const EmitReconnected &emit) {
  note(AGORA_LOG_LEVEL_WARNING, "reconnected after " + std::to_string(emit.took) + " ms");
  if (observer_ != nullptr)
    observer_->reconnected(emit.took);
}

void Core::act(const Note &what) {
  note(what.warning ? AGORA_LOG_LEVEL_WARNING : AGORA_LOG_LEVEL_INFO, what.text);
}

// What the transport tells.

void Core::opened(const std::string &vid, std::int64_t since) {
  happen(Opened{sid_, vid, since});
}

void Core::open_failed(const Trouble &trouble) {
  happen(OpenFailed{trouble});
}

void Core::frame(std::string_view text) {
  auto decoded = protocol::decode_server(text);
  if (auto *error = std::get_if<protocol::DecodeError>(&decoded))
    happen(Garbled{std::move(*error)});
  else
    happen(Received{std::move(std::get<protocol::ServerMessage>(decoded))});
}

void Core::garbled(const std::string &why) {
  protocol::DecodeError error;
  error.reason = why;
  happen(Garbled{std::move(error)});
}

void Core::closed(const std::string &why) {
  happen(Closed{why});
}

}  // namespace agora::client
