// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client-machine.hpp"

#include <algorithm>
#include <utility>

#include "signaling/client-requests.hpp"
#include "signaling/protocol/rules.hpp"

namespace agora::client {

using protocol::Code;
using protocol::EventKind;
using protocol::Role;

std::vector<Action> Machine::step(const Happening &happening, Millis now) {
  std::visit([&] (const auto &what) { on(what, now); }, happening);
  return std::exchange(actions_, {});
}

std::optional<Millis> Machine::next_tick() const {
  std::optional<Millis> next;
  auto at = [&] (Millis when) { next = std::min(next.value_or(when), when); };
  switch (phase_) {
    case Phase::joined:
      for (const auto &[id, pending] : pending_)
        at(pending.deadline);
      at(next_ping_);
      at(heard_ + limits.silence);
      break;
    case Phase::joining:
    case Phase::leaving:
      at(deadline_);
      break;
    case Phase::rejoining:
      at(deadline_);
      at(lost_at_ + limits.reconnect);
      break;
    case Phase::waiting:
      at(retry_at_);
      at(lost_at_ + limits.reconnect);
      break;
    case Phase::reopening:
      at(lost_at_ + limits.reconnect);
      break;
    case Phase::idle:
    case Phase::opening:
    case Phase::failed:
      break;
  }
  return next;
}

bool Machine::is_reconnecting() const {
  return phase_ == Phase::waiting || phase_ == Phase::reopening || phase_ == Phase::rejoining;
}

// Calls of the application.

void Machine::on(const CallInit &call, Millis) {
  if (phase_ != Phase::idle && phase_ != Phase::failed) {
    finish(call.ticket, Trouble{AGORA_ERROR_INVALID_ORDER,
                                "init: expected a client that is in no channel: leave first"});
    return;
  }
  if (std::optional<std::string> why = protocol::check_app_id(call.app_id)) {
    finish(call.ticket, Trouble{AGORA_ERROR_INVALID_ARGUMENT, *why});
    return;
  }
  app_id_ = call.app_id;
  finish(call.ticket);
}

void Machine::on(const CallJoin &call, Millis) {
  std::optional<Trouble> trouble;
  if (app_id_.empty())
    trouble = Trouble{AGORA_ERROR_INVALID_ORDER, "join: expected init before it"};
  else if (phase_ != Phase::idle && phase_ != Phase::failed)
    trouble = Trouble{AGORA_ERROR_INVALID_ORDER,
                      "join: expected a client that is in no channel: leave first"};
  else if (auto why = check_join(call.token, call.channel, call.uid, call.uid_type))
    trouble = Trouble{AGORA_ERROR_INVALID_ARGUMENT, *why};
  if (trouble) {
    finish(call.ticket, trouble);
    return;
  }
  stop(Phase::opening);
  channel_ = call.channel;
  token_ = call.token;
  uid_text_ = call.uid;
  uid_type_ = call.uid_type;
  uid_ = call.uid_type == 0 ? protocol::parse_uid(call.uid).value_or(0) : 0;
  known_ = call.known_speakers;
  unheard_of_.clear();
  if (known_)
    unheard_of_.insert(known_->begin(), known_->end());
  speakers_.clear();
  subscriptions_.clear();
  published_ = local_audio_muted_ = local_video_muted_ = false;
  push_url_.clear();
  join_ticket_ = call.ticket;
  act(Open{app_id_, channel_, uid_text_});
}

void Machine::on(const CallRequest &call, Millis now) {
  const auto *set_role = std::get_if<protocol::SetRole>(&call.request);
  if (auto why = check_request(call.request)) {
    finish(call.ticket, Trouble{AGORA_ERROR_INVALID_ARGUMENT, *why});
    return;
  }
  if (phase_ == Phase::joined) {
    protocol::Request request = call.request;
    set_own_uid(request, uid_);
    send(call.ticket, std::move(request), now);
    return;
  }
  if (set_role != nullptr && (phase_ == Phase::idle || phase_ == Phase::failed)) {
    role_ = set_role->role;  // it rides on join
    finish(call.ticket);
    return;
  }
  std::string name(name_of(call.request));
  if (is_reconnecting())
    finish(call.ticket,
           Trouble{AGORA_ERROR_SOCKET_GONE,
                   name + ": the gateway is lost and not found again yet (" + cause_.text + ")"});
  else
    finish(call.ticket, Trouble{AGORA_ERROR_NOT_JOINED, name + ": expected a join before it"});
}

void Machine::on(const CallLeave &call, Millis now) {
  switch (phase_) {
    case Phase::idle:
      finish(call.ticket, Trouble{AGORA_ERROR_NOT_JOINED, "leave: expected a join before it"});
      return;
    case Phase::leaving:
      finish(call.ticket, Trouble{AGORA_ERROR_INVALID_ORDER, "leave: is under way already"});
      return;
    case Phase::joined:
      finish_all({AGORA_ERROR_SOCKET_GONE, "the client is leaving the channel"});
      phase_ = Phase::leaving;
      leave_ticket_ = call.ticket;
      deadline_ = now + limits.leave;
      send(0, protocol::Leave{uid_}, now);
      return;
    case Phase::opening:
    case Phase::joining:
    case Phase::waiting:
    case Phase::reopening:
    case Phase::rejoining:
    case Phase::failed:
      stop(Phase::idle);
      finish(call.ticket);
      return;
  }
}

void Machine::on(const Destroy &, Millis) {
  stop(Phase::idle);
}

// The caller of the ticket has been told already; what the gateway does is still kept track of.
void Machine::on(const Cancel &cancel, Millis) {
  if (cancel.ticket == 0)
    return;
  if (cancel.ticket == join_ticket_ || cancel.ticket == leave_ticket_) {
    (cancel.ticket == join_ticket_ ? join_ticket_ : leave_ticket_) = 0;
    stop(Phase::idle);
    return;
  }
  for (auto &[id, pending] : pending_)
    if (pending.ticket == cancel.ticket)
      pending.ticket = 0;
}

// The connection.

void Machine::on(const Opened &opened, Millis now) {
  if (phase_ != Phase::opening && phase_ != Phase::reopening)
    return;
  phase_ = phase_ == Phase::opening ? Phase::joining : Phase::rejoining;
  sid_ = opened.sid;
  vid_ = opened.vid;
  next_seq_ = 2;
  next_request_id_ = 3;
  early_.clear();
  heard_ = now;

  protocol::Join join;
  join.role = role_;
  join.app_id = app_id_;
  join.channel = channel_;
  join.token = token_.empty() ? app_id_ : token_;
  join.uid = uid_text_;
  join.uid_type = uid_type_;
  join.vid = vid_;
  describe_client(join);
  if (phase_ == Phase::rejoining)
    join.known_speakers.emplace(speakers_.begin(), speakers_.end());
  else
    join.known_speakers = known_;
  deadline_ = std::max(opened.since + limits.connect, now + 1);
  send(0, std::move(join), now);
}

void Machine::on(const OpenFailed &failed, Millis now) {
  if (phase_ == Phase::opening)
    fail(failed.trouble);
  else if (phase_ == Phase::reopening)
    retry_later(failed.trouble, now);
}

void Machine::on(const Closed &closed, Millis now) {
  if (phase_ == Phase::leaving)
    left();
  else
    lost({AGORA_ERROR_SOCKET_GONE, "the connection to the gateway is gone: " + closed.why}, now);
}

void Machine::on(const Received &received, Millis now) {
  heard_ = now;
  if (const auto *answer = std::get_if<protocol::Answer>(&received.message))
    answered(*answer, now);
  else if (const auto *event = std::get_if<protocol::Event>(&received.message))
    happened(*event);
  else if (const auto *error = std::get_if<protocol::ErrorEvent>(&received.message))
    told_error(*error, now);
}

void Machine::on(const Garbled &garbled, Millis now) {
  heard_ = now;
  act(Note{true, "a frame of the gateway makes no sense: " + garbled.error.reason});
  auto found = pending_.find(garbled.error.request_id);
  if (found == pending_.end())
    return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  Trouble trouble{AGORA_ERROR_INTERNAL, std::string(name_of(pending.request)) +
                                            ": the answer makes no sense: " + garbled.error.reason};
  if (std::holds_alternative<protocol::Join>(pending.request))
    lost(std::move(trouble), now);
  else
    refused(pending, std::move(trouble));
}

void Machine::on(const Tick &, Millis now) {
  if (is_reconnecting() && now >= lost_at_ + limits.reconnect) {
    fail({cause_.code, "gave up after " + std::to_string((now - lost_at_) / 1000) +
                           " s without the gateway: " + cause_.text});
    return;
  }
  if ((phase_ == Phase::joining || phase_ == Phase::rejoining) && now >= deadline_) {
    lost({AGORA_ERROR_TIMEOUT, "join: no answer from the gateway in time"}, now);
    return;
  }
  if (phase_ == Phase::leaving && now >= deadline_) {
    left();
    return;
  }
  if (phase_ == Phase::waiting && now >= retry_at_) {
    phase_ = Phase::reopening;
    act(Open{app_id_, channel_, uid_text_});
    return;
  }
  if (phase_ != Phase::joined)
    return;
  if (now >= heard_ + limits.silence) {
    lost({AGORA_ERROR_SOCKET_GONE,
          "nothing heard of the gateway for " + std::to_string((now - heard_) / 1000) + " s"},
         now);
    return;
  }
  for (auto next = pending_.begin(); next != pending_.end();) {
    if (now < next->second.deadline) {
      ++next;
      continue;
    }
    Pending pending = std::move(next->second);
    next = pending_.erase(next);
    refused(pending, {AGORA_ERROR_TIMEOUT, std::string(name_of(pending.request)) +
                                               ": no answer from the gateway in time"});
  }
  if (now >= next_ping_)
    ping(now);
}

// What the gateway says.

void Machine::answered(const protocol::Answer &answer, Millis now) {
  auto found = pending_.find(answer.request_id);
  if (found == pending_.end()) {
    act(Note{true, "an answer to request " + std::to_string(answer.request_id) +
                       ", which waits for none"});
    return;
  }
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (std::holds_alternative<protocol::Join>(pending.request)) {
    join_answered(pending, answer, now);
  } else if (std::holds_alternative<protocol::Leave>(pending.request)) {
    left();
  } else if (answer.code == Code::ok) {
    succeeded(pending, answer);
  } else {
    Trouble trouble = trouble_of(answer.code, answer.reason, name_of(pending.request));
    refused(pending, trouble);
    if (answer.code == Code::service_lost)
      lost(std::move(trouble), now);
  }
}

void Machine::join_answered(const Pending &, const protocol::Answer &answer, Millis now) {
  bool again = phase_ == Phase::rejoining;
  Trouble trouble = trouble_of(answer.code, answer.reason, "join");
  if (answer.code == Code::ok && answer.uid.value_or(0) == 0)
    trouble = {AGORA_ERROR_INTERNAL, "join: the gateway's answer has no uid"};
  if (answer.code != Code::ok || answer.uid.value_or(0) == 0) {
    if (again && !is_final(trouble.code))
      retry_later(std::move(trouble), now);
    else
      fail(std::move(trouble));
    return;
  }
  phase_ = Phase::joined;
  uid_ = *answer.uid;
  if (uid_type_ == 0)
    uid_text_ = std::to_string(uid_);
  next_ping_ = now + limits.ping;
  if (again) {
    act(EmitReconnected{now - lost_at_});
    replay(now);
  } else {
    act(Finish{std::exchange(join_ticket_, 0), std::nullopt, uid_, {}, 0});
  }
  for (const protocol::Event &event : std::exchange(early_, {}))
    happened(event);
}

void Machine::happened(const protocol::Event &event) {
  if (phase_ == Phase::joining || phase_ == Phase::rejoining) {
    early_.push_back(event);
    return;
  }
  if (phase_ != Phase::joined)
    return;
  switch (event.kind) {
    case EventKind::stream_added:
      unheard_of_.erase(event.uid);
      if (event.uid == uid_ || !speakers_.insert(event.uid).second)
        return;
      break;
    case EventKind::stream_removed: {
      bool was_asked_for = unheard_of_.erase(event.uid) != 0;
      bool was_there = speakers_.erase(event.uid) != 0;
      subscriptions_.erase(event.uid);
      if (!was_asked_for && !was_there)
        return;
      break;
    }
    case EventKind::update_url:
      if (event.uid == uid_)
        push_url_ = event.url;
      else if (auto found = subscriptions_.find(event.uid); found != subscriptions_.end())
        found->second.url = event.url;
      break;
    case EventKind::video_rotation:
    case EventKind::audio_mute:
    case EventKind::video_mute:
    case EventKind::key_will_expire:
      break;
    case EventKind::key_expired:
      act(Emit{event});
      fail({AGORA_ERROR_TOKEN_EXPIRED, "the token has expired: join again with another one"});
      return;
    case EventKind::banned:
      act(Emit{event});
      fail({AGORA_ERROR_BANNED, "the operator of the channel has removed this member"});
      return;
  }
  act(Emit{event});
}

void Machine::told_error(const protocol::ErrorEvent &event, Millis now) {
  if (phase_ != Phase::joining && phase_ != Phase::joined && phase_ != Phase::rejoining)
    return;
  Trouble trouble = trouble_of(event.code, event.reason, "the gateway");
  if (is_final(trouble.code)) {
    fail(std::move(trouble));
    return;
  }
  if (event.code >= Code::internal && event.code <= Code::drain) {
    lost(std::move(trouble), now);
    return;
  }
  act(EmitError{std::move(trouble)});
}

void Machine::succeeded(const Pending &pending, const protocol::Answer &answer) {
  if (needs_url(pending.request) && answer.url.value_or("").empty()) {
    refused(pending, {AGORA_ERROR_INTERNAL,
                      std::string(name_of(pending.request)) + ": the gateway's answer has no url"});
    return;
  }
  std::string url = answer.url.value_or("");
  auto moved = [&] (Uid uid, std::string &known) {
    if (pending.replay && known != url)
      act(Emit{{EventKind::update_url, uid, url, 0, false}});
    known = url;
  };
  if (const auto *set_role = std::get_if<protocol::SetRole>(&pending.request)) {
    role_ = set_role->role;
    published_ = published_ && role_ == Role::broadcaster;
    if (answer.update_url)
      act(Emit{{EventKind::update_url, uid_, *answer.update_url, 0, false}});
  } else if (std::holds_alternative<protocol::Publish>(pending.request)) {
    published_ = true;
    moved(uid_, push_url_);
  } else if (std::holds_alternative<protocol::Unpublish>(pending.request)) {
    published_ = false;
  } else if (std::holds_alternative<protocol::UpdateUrl>(pending.request)) {
    push_url_ = url;
  } else if (const auto *subscribe = std::get_if<protocol::Subscribe>(&pending.request)) {
    Subscription &subscription = subscriptions_[subscribe->uid];
    subscription.request = *subscribe;
    moved(subscribe->uid, subscription.url);
  } else if (const auto *unsubscribe = std::get_if<protocol::Unsubscribe>(&pending.request)) {
    for (Uid uid : unsubscribe->uids)
      subscriptions_.erase(uid);
  } else if (const auto *mute = std::get_if<protocol::Mute>(&pending.request)) {
    if (auto found = subscriptions_.find(mute->uid); found != subscriptions_.end())
      set_muted(mute->target, mute->mute, found->second.audio_muted, found->second.video_muted);
  } else if (const auto *local = std::get_if<protocol::MuteLocal>(&pending.request)) {
    set_muted(local->target, local->mute, local_audio_muted_, local_video_muted_);
  } else if (const auto *type = std::get_if<protocol::SetRemoteStreamType>(&pending.request)) {
    if (auto found = subscriptions_.find(type->uid); found != subscriptions_.end())
      found->second.stream_type = type->type;
  } else if (const auto *key = std::get_if<protocol::UpdateKey>(&pending.request)) {
    token_ = key->token;
  }
  if (pending.ticket != 0)
    act(Finish{pending.ticket, std::nullopt, uid_, url, answer.rotation.value_or(0)});
}

void Machine::refused(const Pending &pending, Trouble trouble) {
  if (!pending.replay) {
    finish(pending.ticket, std::move(trouble));
    return;
  }
  // Nobody asked: tell by the means that the application has for it.
  if (const auto *subscribe = std::get_if<protocol::Subscribe>(&pending.request)) {
    if (trouble.code == AGORA_ERROR_NOT_PUBLISHING) {
      happened({EventKind::stream_removed, subscribe->uid, {}, 0, false});
      return;
    }
    subscriptions_.erase(subscribe->uid);
  } else if (std::holds_alternative<protocol::Publish>(pending.request)) {
    published_ = false;
  }
  act(EmitError{std::move(trouble)});
}

// Makes again what the member had before it lost the gateway.
void Machine::replay(Millis now) {
  if (published_)
    send(0, protocol::Publish{uid_}, now, true);
  if (local_audio_muted_)
    send(0, protocol::MuteLocal{uid_, protocol::Target::audio, true}, now, true);
  if (local_video_muted_)
    send(0, protocol::MuteLocal{uid_, protocol::Target::video, true}, now, true);
  for (const auto &[uid, subscription] : subscriptions_) {
    send(0, subscription.request, now, true);
    if (subscription.audio_muted)
      send(0, protocol::Mute{uid, protocol::Target::audio, true}, now, true);
    if (subscription.video_muted)
      send(0, protocol::Mute{uid, protocol::Target::video, true}, now, true);
    if (subscription.stream_type != 0)
      send(0, protocol::SetRemoteStreamType{uid, subscription.stream_type}, now, true);
  }
}

// The means.

protocol::Envelope Machine::envelope(std::int64_t seq) {
  return {app_id_, channel_, uid_text_, sid_, "1.1.0", seq, next_request_id_++, 0};
}

void Machine::send(Ticket ticket, protocol::Request request, Millis now, bool replay) {
  protocol::ClientMessage message{envelope(next_seq_++), request};
  pending_[message.envelope.request_id] = {ticket, std::move(request), now + limits.request,
                                           replay};
  act(Send{std::move(message)});
}

void Machine::ping(Millis now) {
  next_ping_ = now + limits.ping;
  act(Send{{envelope(0), protocol::Ping{}}});
}

void Machine::finish(Ticket ticket, std::optional<Trouble> trouble) {
  if (ticket != 0)
    act(Finish{ticket, std::move(trouble), uid_, {}, 0});
}

void Machine::finish_all(const Trouble &trouble) {
  for (const auto &[id, pending] : std::exchange(pending_, {}))
    finish(pending.ticket, trouble);
}

void Machine::lost(Trouble cause, Millis now) {
  switch (phase_) {
    case Phase::opening:
    case Phase::joining:
      fail(std::move(cause));
      return;
    case Phase::reopening:
    case Phase::rejoining:
      retry_later(std::move(cause), now);
      return;
    case Phase::joined:
      break;
    case Phase::leaving:
      left();
      return;
    case Phase::idle:
    case Phase::waiting:
    case Phase::failed:
      return;
  }
  if (limits.reconnect == 0) {
    fail(std::move(cause));
    return;
  }
  act(Close{});
  phase_ = Phase::waiting;
  lost_at_ = now;
  tries_ = 0;
  retry_at_ = now + limits.first_retry;
  cause_ = std::move(cause);
  finish_all({AGORA_ERROR_SOCKET_GONE, cause_.text});
  act(EmitReconnecting{cause_});
}

void Machine::retry_later(Trouble cause, Millis now) {
  if (is_final(cause.code)) {
    fail(std::move(cause));
    return;
  }
  act(Close{});
  finish_all(cause);
  phase_ = Phase::waiting;
  cause_ = std::move(cause);
  ++tries_;
  Millis pause = limits.first_retry;
  for (unsigned i = 0; i < tries_ && pause < limits.last_retry; ++i)
    pause *= 2;
  pause = std::min(pause, limits.last_retry);
  // Half of it by chance, so that all the members of a gateway don't come back at once.
  retry_at_ = now + pause - spread(pause / 2);
  act(Note{false, "another try in " + std::to_string(retry_at_ - now) + " ms: " + cause_.text});
}

// The caller of join is told by its own call; everyone else by the signal.
void Machine::fail(Trouble trouble) {
  bool first = phase_ == Phase::opening || phase_ == Phase::joining;
  Ticket join = std::exchange(join_ticket_, 0);
  stop(Phase::failed);
  cause_ = trouble;
  if (first)
    finish(join, std::move(trouble));
  else
    act(EmitError{std::move(trouble)});
}

void Machine::stop(Phase phase) {
  Phase before = std::exchange(phase_, phase);
  if (before != Phase::idle && before != Phase::failed && before != Phase::waiting)
    act(Close{});
  Trouble trouble{AGORA_ERROR_SOCKET_GONE, "the client has left, or was closed, meanwhile"};
  finish(std::exchange(join_ticket_, 0), trouble);
  finish(std::exchange(leave_ticket_, 0));
  finish_all(trouble);
  early_.clear();
  if (phase == Phase::idle) {
    uid_ = 0;
    channel_.clear();
  }
}

void Machine::left() {
  stop(Phase::idle);
}

Millis Machine::spread(Millis most) {
  random_ = random_ * 1664525u + 1013904223u;
  return static_cast<Millis>((static_cast<std::uint64_t>(random_) * most) >> 32);
}

}  // namespace agora::client
