// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/client/machine.hpp"

#include <algorithm>
#include <utility>

#include "signaling/client/requests.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::client {

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
      for (const Again &again : again_)
        at(again.at);
      if (const auto due = reports_.due(); due && takes_reports_)
        at(*due);
      at(next_ping_);
      at(heard_ + limits.silence);
      break;
    case Phase::joining:
    case Phase::rejoining:
    case Phase::leaving:
      at(deadline_);
      break;
    case Phase::pausing:
    case Phase::waiting:
      at(retry_at_);
      break;
    case Phase::idle:
    case Phase::opening:
    case Phase::reopening:
    case Phase::failed:
      break;
  }
  if (const std::optional<Millis> end = give_up_at())
    at(*end);
  return next;
}

std::optional<Millis> Machine::give_up_at() const {
  if (!is_retrying() || limits.reconnect < 0)
    return std::nullopt;
  return lost_at_ + limits.reconnect;
}

bool Machine::is_joining_again() const {
  return phase_ == Phase::pausing ||
         ((phase_ == Phase::opening || phase_ == Phase::joining) && tries_ > 0);
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

void Machine::on(const CallJoin &call, Millis now) {
  std::optional<Trouble> trouble;
  if (app_id_.empty())
    trouble = Trouble{AGORA_ERROR_INVALID_ORDER, "join: expected init before it"};
  else if (phase_ != Phase::idle && phase_ != Phase::failed)
    trouble = Trouble{AGORA_ERROR_INVALID_ORDER,
                      "join: expected a client that is in no channel: leave first"};
  else if (auto why = check_join(call.token, call.channel, call.uid, call.uid_type))
    trouble = Trouble{AGORA_ERROR_INVALID_ARGUMENT, *why};
  else if (auto name_is_bad = protocol::check_name(name))
    trouble = Trouble{AGORA_ERROR_INVALID_ARGUMENT, "display-name: " + *name_is_bad};
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
  muted_.clear();
  talkbacks_.clear();
  names_.clear();
  unconfirmed_.clear();
  members_.clear();
  subscriptions_.clear();
  local_audio_muted_ = local_video_muted_ = silenced_ = false;
  reports_ = {};
  reconnects_ = 0;
  join_ticket_ = call.ticket;
  lost_at_ = now;
  tries_ = 0;
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
    if (auto *publish = std::get_if<protocol::Publish>(&request)) {
      publish->to = talk_to;
      if (!may_address(*publish)) {
        finish(call.ticket, no_talk());
        return;
      }
    }
    wants_list_ = wants_list_ || std::holds_alternative<protocol::Members>(request);
    send(call.ticket, std::move(request), now);
    return;
  }
  if (set_role != nullptr && (phase_ == Phase::idle || phase_ == Phase::failed)) {
    role_ = set_role->role;  // it rides on join
    finish(call.ticket);
    return;
  }
  const bool before_a_join =
      is_retrying() && phase_ != Phase::joining && phase_ != Phase::rejoining;
  if (const auto *key = std::get_if<protocol::UpdateKey>(&call.request);
      key != nullptr && before_a_join) {
    token_ = key->token;  // it rides on the join that follows
    finish(call.ticket);
    return;
  }
  std::string name(client::name_of(call.request));
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
    case Phase::pausing:
    case Phase::waiting:
    case Phase::reopening:
    case Phase::rejoining:
    case Phase::failed:
      stop(Phase::idle);
      finish(call.ticket);
      return;
  }
}

void Machine::on(const CallReport &call, Millis now) {
  if (takes_reports())
    reports_.add(call.figures, now);
}

void Machine::on(const Destroy &, Millis) {
  stop(Phase::idle);
}

// The caller has its result already; the gateway's answer is still followed.
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
  if (phase_ == Phase::rejoining)
    join.known_speakers.emplace(speakers_.begin(), speakers_.end());
  else
    join.known_speakers = known_;
  // A rejoin that the gateway refuses would be worse than a few that it doesn't account for.
  if (join.known_speakers && join.known_speakers->size() > protocol::max_uids)
    join.known_speakers->resize(protocol::max_uids);
  if (!join.known_speakers)
    join.vid = vid_;
  describe_client(join);
  join.features = protocol::Features{protocol::feature_silence, protocol::feature_codecs,
                                     protocol::feature_quality, protocol::feature_talk,
                                     protocol::feature_data,    protocol::feature_names};
  join.hears = hears;
  join.name = name;
  deadline_ = std::max(opened.since + limits.connect, now + 1);
  send(0, std::move(join), now);
}

void Machine::on(const OpenFailed &failed, Millis now) {
  if (phase_ == Phase::opening)
    join_failed(failed.trouble, now);
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
  if (!std::holds_alternative<protocol::Event>(received.message))
    end_doubt();
  if (const auto *answer = std::get_if<protocol::Answer>(&received.message))
    answered(*answer, now);
  else if (const auto *event = std::get_if<protocol::Event>(&received.message))
    happened(*event, now);
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
  Trouble trouble{AGORA_ERROR_INTERNAL, std::string(client::name_of(pending.request)) +
                                            ": the answer makes no sense: " + garbled.error.reason};
  if (std::holds_alternative<protocol::Join>(pending.request))
    lost(std::move(trouble), now);
  else
    refused(pending, std::move(trouble), now);
}

void Machine::on(const Tick &, Millis now) {
  if (const std::optional<Millis> end = give_up_at(); end && now >= *end) {
    fail({cause_.code,
          "gave up after " + std::to_string((now - lost_at_) / 1000) +
              " s without the gateway (raise reconnect-timeout to wait longer): " + cause_.text});
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
  if ((phase_ == Phase::waiting || phase_ == Phase::pausing) && now >= retry_at_) {
    phase_ = phase_ == Phase::waiting ? Phase::reopening : Phase::opening;
    act(Open{app_id_, channel_, uid_text_});
    return;
  }
  if (phase_ != Phase::joined)
    return;
  // If the timer is this late, our own loop stood still, and what came meanwhile is still unread.
  if (now >= heard_ + limits.silence + limits.ping)
    heard_ = now - limits.silence + limits.ping;
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
    refused(pending,
            {AGORA_ERROR_TIMEOUT, std::string(client::name_of(pending.request)) +
                                      ": no answer from the gateway in time"},
            now);
  }
  for (Again &again : std::exchange(again_, {}))
    if (now < again.at)
      again_.push_back(std::move(again));
    else if (is_wanted(again.request))
      make_again(std::move(again.request), now);
  if (const auto due = reports_.due(); due && takes_reports_ && now >= *due)
    report(now);
  if (now >= next_ping_)
    ping(now);
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

void Machine::ping_later(Millis now) {
  const Millis due = now + limits.ping;
  next_ping_ = limits.ping < 1'000 ? due : limits.beat(due);
}

void Machine::ping(Millis now) {
  ping_later(now);
  act(Send{{envelope(0), protocol::Ping{}}});
}

// It is answered, so that it does for a ping.
void Machine::report(Millis now) {
  protocol::Report figures = reports_.take(now);
  figures.reconnects = reconnects_;
  ping_later(now);
  send(0, std::move(figures), now);
}

void Machine::finish(Ticket ticket, std::optional<Trouble> trouble) {
  if (ticket != 0)
    act(Finish{ticket, std::move(trouble), uid_, {}, 0});
}

// Of a connection that is over: the next one begins with all that is to be made again.
void Machine::finish_all(const Trouble &trouble) {
  again_.clear();
  doubt_.reset();
  for (const auto &[id, pending] : std::exchange(pending_, {})) {
    unanswered(pending);
    finish(pending.ticket, trouble);
  }
}

// Those whom a voice was to be for may be those whom it is for by now. Made again it is for them:
// not for others who have just been left out.
void Machine::unanswered(const Pending &pending) {
  const auto *publish = std::get_if<protocol::Publish>(&pending.request);
  if (publish && !pending.replay && !publish->to.empty())
    to_ = publish->to;
}

void Machine::lost(Trouble cause, Millis now) {
  switch (phase_) {
    case Phase::opening:
    case Phase::joining:
      join_failed(std::move(cause), now);
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
    case Phase::pausing:
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

void Machine::join_failed(Trouble cause, Millis now) {
  if (!limits.retry_first_join || limits.reconnect == 0 || is_final(cause.code)) {
    fail(std::move(cause));
    return;
  }
  const bool first = tries_ == 0;
  retry_later(std::move(cause), now);
  if (first)
    act(EmitReconnecting{cause_});
}

void Machine::retry_later(Trouble cause, Millis now) {
  if (is_final(cause.code)) {
    fail(std::move(cause));
    return;
  }
  act(Close{});
  finish_all(cause);
  // Sound is to be back soon after the network is, however long it was away; only a gateway that
  // says itself that it has enough to do is left alone for longer.
  const bool was_let_in = phase_ == Phase::joining || phase_ == Phase::rejoining;
  const Millis most = was_let_in ? limits.busy_retry : limits.last_retry;
  phase_ = is_reconnecting() ? Phase::waiting : Phase::pausing;
  cause_ = std::move(cause);
  ++tries_;
  Millis pause = limits.first_retry;
  for (unsigned i = 0; i < tries_ && pause < most; ++i)
    pause *= 2;
  pause = std::min(pause, most);
  // Half of the pause is random, so that the members of a gateway don't all come back at once.
  retry_at_ = now + pause - spread(pause / 2);
  act(Note{false, "another try in " + std::to_string(retry_at_ - now) + " ms: " + cause_.text});
}

// A failed join is told to its caller; any other end by the signal.
void Machine::fail(Trouble trouble) {
  bool first = phase_ == Phase::opening || phase_ == Phase::joining || phase_ == Phase::pausing;
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
  if (before != Phase::idle && before != Phase::failed && before != Phase::waiting &&
      before != Phase::pausing)
    act(Close{});
  Trouble trouble{AGORA_ERROR_SOCKET_GONE, "the client has left, or was closed, meanwhile"};
  finish(std::exchange(join_ticket_, 0), trouble);
  finish(std::exchange(leave_ticket_, 0));
  finish_all(trouble);
  early_.clear();
  unpublished();
  lists_ = wants_list_ = false;
  list_tries_ = 0;
  if (phase == Phase::idle) {
    uid_ = 0;
    channel_.clear();
    speakers_.clear();
    muted_.clear();
    talkbacks_.clear();
    names_.clear();
    unconfirmed_.clear();
    members_.clear();
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
