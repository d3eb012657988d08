// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/channel-book.hpp"

#include <algorithm>

#include "signaling/gateway/channel/rules.hpp"
#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/network.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

using protocol::Code;

namespace {

std::string channel_key (std::string_view app_id, std::string_view name) {
  std::string key(app_id);
  key += '\0';
  key += name;
  return key;
}

}  // namespace

Rules::Rules(Config config)
    : config_(std::move(config)), signer_(config_.secret, config_.rtmp_app) {
  if (!config_.random)
    config_.random = kernel_random;
  if (!config_.verify_token)
    config_.verify_token = protocol::verify_token;
}

void Rules::connected(Step &step, SessionId id, std::string_view address, std::string_view host) {
  const auto refuse_socket = [&] (CloseCode code, const char *why) {
    step.out.push_back(Close{id, code, why});
  };
  if (closed_)
    return refuse_socket(CloseCode::going_away, "the gateway is shutting down");
  std::string network = network_of(std::string(address));
  unsigned &open = sockets_[network];
  if (config_.limits.sockets_per_address && open >= config_.limits.sockets_per_address)
    return refuse_socket(CloseCode::try_later, "too many sockets from one address");
  open++;

  auto fresh = std::make_unique<Session>();
  fresh->id = id;
  fresh->address = address;
  fresh->network = std::move(network);
  fresh->host = url_host(host);
  fresh->heard_ms = step.now.mono_ms;
  fresh->join_by_ms = step.now.mono_ms + config_.times.join_ms;
  fresh->requests = {config_.limits.requests_per_second, config_.limits.request_burst};
  watch_session(*fresh);
  sessions_[id] = std::move(fresh);
}

void Rules::received(Step &step, SessionId id, const protocol::ClientMessage &message) {
  Session *from = session(id);
  if (!from)
    return;
  from->heard_ms = step.now.mono_ms;
  const Asked asked{*from, message.envelope.request_id};
  if (!spend_request(*from, step.now)) {
    refuse(step, asked, Code::too_many, "too many requests, slow down");
    if (is_flood(*from))
      close(step, *from, CloseCode::policy, "flood of requests");
    return;
  }
  // The envelope names an app, a channel and a uid as well, but only the socket tells who asks.
  std::visit(
      [&] (const auto &request) {
        using T = std::decay_t<decltype(request)>;
        if constexpr (std::is_same_v<T, protocol::Ping>) {
          step.out.push_back(Send{{id}, protocol::Pong{asked.id}});
        } else if constexpr (std::is_same_v<T, protocol::Unknown>) {
          refuse(step, asked, Code::bad_request,
                 "unknown action " + protocol::quoted(request.action));
        } else if constexpr (std::is_same_v<T, protocol::Join>) {
          join(step, asked, request);
        } else if (!from->member) {
          refuse(step, asked, Code::not_joined, "not in a channel: join first");
        } else {
          handle(step, asked, *from->member, request);
        }
      },
      message.request);
}

void Rules::malformed(Step &step, SessionId id, const protocol::DecodeError &error) {
  Session *from = session(id);
  if (!from)
    return;
  from->heard_ms = step.now.mono_ms;
  const bool affordable = spend_request(*from, step.now);
  const Code code = affordable ? error.code : Code::too_many;
  const std::string reason = affordable ? error.reason : "too many requests, slow down";
  if (error.is_join)
    totals_.joins[static_cast<int>(code)]++;
  if (error.request_id)
    refuse(step, Asked{*from, error.request_id}, code, reason);
  else
    step.out.push_back(Send{{id}, protocol::ErrorEvent{code, reason}});
  if (is_flood(*from))
    close(step, *from, CloseCode::policy, "flood of requests");
}

void Rules::disconnected(Step &step, SessionId id) {
  if (Session *gone = session(id))
    end_session(step, *gone);
}

void Rules::tick(Step &step) {
  while (const auto due = deadlines_.pop(step.now.mono_ms)) {
    if (due->kind == Deadline::drain) {
      send_some_away(step);
      continue;
    }
    if (due->kind == Deadline::rule) {
      check_rule(step, due->id);
      continue;
    }
    if (due->kind == Deadline::session) {
      if (Session *which = session(due->id))
        check_session(step, *which);
      continue;
    }
    Member *which = member(due->id);
    if (!which)
      continue;
    if (due->kind == Deadline::grace)
      end_grace(step, *which);
    else if (due->kind == Deadline::token)
      check_grant(step, *which);
    else if (due->kind == Deadline::previous)
      forget_stream(step, which->previous);
    else if (due->kind == Deadline::old_player)
      drop_all_old_players(step, *which);
    else
      withdraw(step, *which);
  }
}

void Rules::answer(Step &step, const Asked &asked, protocol::Answer answer) {
  answer.request_id = asked.id;
  totals_.answers[static_cast<int>(answer.code)]++;
  step.out.push_back(Send{{asked.session.id}, std::move(answer)});
}

void Rules::refuse(Step &step, const Asked &asked, Code code, std::string reason) {
  protocol::Answer failure;
  failure.code = code;
  failure.reason = std::move(reason);
  answer(step, asked, std::move(failure));
}

void Rules::tell(Step &step, const Member &member, protocol::Event event) {
  if (!member.session)
    return;
  totals_.events++;
  step.out.push_back(Send{{member.session->id}, std::move(event)});
}

void Rules::tell_others(Step &step, const Member &member, const protocol::Event &event) {
  std::vector<SessionId> to;
  to.reserve(member.channel->members.size());
  for (const auto &[uid, other] : member.channel->members)
    if (other != &member && other->session)
      to.push_back(other->session->id);
  if (to.empty())
    return;
  totals_.events += to.size();
  step.out.push_back(Send{std::move(to), event});
}

void Rules::notice(Step &step, const Member &member, NoticeKind kind, LeaveReason reason) {
  step.out.push_back(Notice{kind, member.channel->app_id, member.channel->name, member.uid,
                            member.account, member.role, member.platform, reason, step.now.wall_s,
                            member.joined_at});
}

void Rules::end_session(Step &step, Session &session) {
  if (Member *left = session.member) {
    left->session = nullptr;
    deadlines_.set({Deadline::grace, left->id}, step.now.mono_ms + config_.times.grace_ms);
  }
  deadlines_.cancel({Deadline::session, session.id});
  const auto open = sockets_.find(session.network);
  if (open != sockets_.end() && --open->second == 0)
    sockets_.erase(open);
  sessions_.erase(session.id);
}

void Rules::close(Step &step, Session &session, CloseCode code, std::string reason) {
  step.out.push_back(Close{session.id, code, std::move(reason)});
  end_session(step, session);
}

bool Rules::is_flood(const Session &session) const {
  return session.requests.owes_more_than(4);
}

bool Rules::spend_request(Session &session, Now now) {
  return !config_.limits.requests_per_second || session.requests.charge(now.mono_ms);
}

void Rules::watch_session(Session &session) {
  std::int64_t at = session.heard_ms + config_.times.silence_ms;
  if (!session.member)
    at = std::min(at, session.join_by_ms);
  deadlines_.set({Deadline::session, session.id}, at);
}

// The timer isn't moved at each frame; it looks, when it fires, whether anything was heard since.
void Rules::check_session(Step &step, Session &session) {
  if (step.now.mono_ms - session.heard_ms >= config_.times.silence_ms)
    close(step, session, CloseCode::silent, "no frame for too long");
  else if (!session.member && step.now.mono_ms >= session.join_by_ms)
    close(step, session, CloseCode::never_joined, "no join in time");
  else
    watch_session(session);
}

Session *Rules::session(SessionId id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second.get();
}

Member *Rules::member(MemberId id) {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : it->second.get();
}

const Channel *Rules::find_channel(std::string_view app_id, std::string_view name) const {
  const auto it = channels_.find(channel_key(app_id, name));
  return it == channels_.end() ? nullptr : it->second.get();
}

Channel &Rules::make_channel(Step &step, const protocol::Join &join) {
  auto &slot = channels_[channel_key(join.app_id, join.channel)];
  if (!slot) {
    slot = std::make_unique<Channel>();
    slot->key = channel_key(join.app_id, join.channel);
    slot->app_id = join.app_id;
    slot->name = join.channel;
    channels_of_app_[join.app_id]++;
    notice_channel(step, *slot, NoticeKind::channel_created);
  }
  return *slot;
}

std::vector<ChannelInfo> Rules::channels(std::string_view app_id) const {
  std::vector<ChannelInfo> found;
  for (const auto &[key, channel] : channels_)
    if (channel->app_id == app_id)
      found.push_back(
          {channel->name, channel->broadcasters, channel->members.size() - channel->broadcasters});
  std::sort(found.begin(), found.end(),
            [] (const ChannelInfo &a, const ChannelInfo &b) { return a.channel < b.channel; });
  return found;
}

Totals Rules::totals() const {
  Totals totals = totals_;
  totals.sessions = sessions_.size();
  totals.members = members_.size();
  totals.channels = channels_.size();
  for (const auto &[id, member] : members_)
    totals.in_grace += member->session ? 0 : 1;
  for (const auto &[key, channel] : channels_)
    totals.streams += channel->speakers.size();
  return totals;
}

// The façade.

namespace {

MemberInfo describe (const Member &member) {
  return {member.uid,      member.account,          member.role,
          member.platform, member.address,          member.joined_at,
          !member.session, member.live.has_value(), member.silenced};
}

}  // namespace

ChannelBook::ChannelBook(Config config) : rules_(std::make_unique<Rules>(std::move(config))) {
}
ChannelBook::~ChannelBook() = default;

Commands ChannelBook::connected(SessionId session, std::string_view address, std::string_view host,
                                Now now) {
  Step step{now, {}};
  rules_->connected(step, session, address, host);
  return std::move(step.out);
}

Commands ChannelBook::received(SessionId session, const protocol::ClientMessage &message, Now now) {
  Step step{now, {}};
  rules_->received(step, session, message);
  return std::move(step.out);
}

Commands ChannelBook::malformed(SessionId session, const protocol::DecodeError &error, Now now) {
  Step step{now, {}};
  rules_->malformed(step, session, error);
  return std::move(step.out);
}

Commands ChannelBook::disconnected(SessionId session, Now now) {
  Step step{now, {}};
  rules_->disconnected(step, session);
  return std::move(step.out);
}

std::optional<std::int64_t> ChannelBook::next_deadline() const {
  return rules_->next_deadline();
}

Commands ChannelBook::tick(Now now) {
  Step step{now, {}};
  rules_->tick(step);
  return std::move(step.out);
}

HookAnswer ChannelBook::on_publish(const HookRequest &request, Now now) {
  Step step{now, {}};
  std::string refusal = rules_->on_publish(step, request);
  const bool allow = refusal.empty();
  return {allow, std::move(refusal), std::move(step.out)};
}

HookAnswer ChannelBook::on_play(const HookRequest &request, Now now) {
  Step step{now, {}};
  std::string refusal = rules_->on_play(step, request);
  const bool allow = refusal.empty();
  return {allow, std::move(refusal), std::move(step.out)};
}

Commands ChannelBook::on_publish_done(const HookRequest &request, Now now) {
  Step step{now, {}};
  rules_->on_publish_done(step, request.client_id);
  return std::move(step.out);
}

Commands ChannelBook::on_play_done(const HookRequest &request, Now) {
  rules_->on_play_done(request.client_id);
  return {};
}

Commands ChannelBook::media_server_lost(Now now) {
  Step step{now, {}};
  rules_->media_server_lost(step);
  return std::move(step.out);
}

Commands ChannelBook::media_sessions(const std::vector<std::uint64_t> &there, std::int64_t asked_ms,
                                     Now now) {
  Step step{now, {}};
  rules_->media_sessions(step, there, asked_ms);
  return std::move(step.out);
}

Commands ChannelBook::service_lost(Now now) {
  Step step{now, {}};
  rules_->service_lost(step);
  return std::move(step.out);
}

void ChannelBook::service_back() {
  rules_->service_back();
}

Commands ChannelBook::drain(std::int64_t for_ms, Now now) {
  Step step{now, {}};
  rules_->drain(step, for_ms);
  return std::move(step.out);
}

bool ChannelBook::drained() const {
  return rules_->drained();
}

Commands ChannelBook::close_all(Now now) {
  Step step{now, {}};
  rules_->close_all(step);
  return std::move(step.out);
}

bool ChannelBook::serves(std::string_view app_id) const {
  return rules_->serves(app_id);
}

std::vector<ChannelInfo> ChannelBook::channels(std::string_view app_id) const {
  return rules_->channels(app_id);
}

std::optional<std::vector<MemberInfo>> ChannelBook::members(std::string_view app_id,
                                                            std::string_view channel) const {
  const Channel *found = rules_->find_channel(app_id, channel);
  if (!found)
    return {};
  std::vector<MemberInfo> members;
  members.reserve(found->members.size());
  for (const auto &[uid, member] : found->members)
    members.push_back(describe(*member));
  std::sort(members.begin(), members.end(),
            [] (const MemberInfo &a, const MemberInfo &b) { return a.uid < b.uid; });
  return members;
}

std::optional<MemberInfo> ChannelBook::member(std::string_view app_id, std::string_view channel,
                                              protocol::Uid uid) const {
  const Channel *found = rules_->find_channel(app_id, channel);
  if (!found)
    return {};
  const auto it = found->members.find(uid);
  if (it == found->members.end())
    return {};
  return describe(*it->second);
}

Totals ChannelBook::totals() const {
  return rules_->totals();
}

Commands ChannelBook::add_rule(Rule &rule, Now now) {
  Step step{now, {}};
  rules_->add_rule(step, rule);
  return std::move(step.out);
}

std::vector<Rule> ChannelBook::rules(std::string_view app_id, Now now) const {
  return rules_->list_rules(app_id, now);
}

bool ChannelBook::change_rule(std::uint64_t id, std::int64_t ends_at, Now now) {
  Step step{now, {}};
  return rules_->change_rule(step, id, ends_at);
}

std::optional<Commands> ChannelBook::lift_rule(std::uint64_t id, Now now) {
  Step step{now, {}};
  if (!rules_->lift_rule(step, id))
    return {};
  return std::move(step.out);
}

}  // namespace agora::gateway
