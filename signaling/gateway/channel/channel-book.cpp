// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/channel/channel-book.hpp"

#include <algorithm>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/support/network.hpp"
#include "signaling/support/secret.hpp"

namespace agora::gateway {

using protocol::Code;

std::string channel_key (std::string_view app_id, std::string_view name) {
  std::string key(app_id);
  key += '\0';
  key += name;
  return key;
}

namespace {

MemberInfo info_of (const Member &member) {
  return {member.uid,      member.account,          member.role,
          member.platform, member.address,          member.joined_at,
          member.in_grace, member.live.has_value(), member.silenced};
}

}  // namespace

ChannelBook::ChannelBook(Config config)
    : config_(std::move(config)),
      signer_(config_.secret, config_.rtmp_app),
      relay_signer_(config_.cluster ? config_.cluster->secret : std::string(), config_.rtmp_app) {
  if (!config_.random)
    config_.random = kernel_random;
  if (!config_.verify_token)
    config_.verify_token = protocol::verify_token;
  if (config_.cluster)
    make_cluster();
}

// Here, that what it holds is taken down in one place and not wherever one stands.
ChannelBook::~ChannelBook() = default;

Commands ChannelBook::connected(SessionId id, std::string_view address, std::string_view host,
                                Now now, Entrance entrance) {
  Step step{now, {}};
  const auto refuse_socket = [&] (CloseCode code, const char *why) {
    step.out.push_back(Close{id, code, why});
    return finish(step);
  };
  if (closed_)
    return refuse_socket(CloseCode::going_away, "the gateway is shutting down");
  std::string name;
  if (entrance != Entrance::mix) {
    name = network_of(std::string(address));
    Network &from = network(name, step.now);
    if (config_.limits.sockets_per_address && from.sockets >= config_.limits.sockets_per_address)
      return refuse_socket(CloseCode::try_later, "too many sockets from one address");
    from.sockets++;
  }

  auto fresh = std::make_unique<MemberSession>();
  fresh->id = id;
  fresh->address = address;
  fresh->network = std::move(name);
  fresh->host = url_host(host);
  fresh->entrance = entrance;
  fresh->heard_ms = step.now.mono_ms;
  fresh->join_by_ms = step.now.mono_ms + config_.times.join_ms;
  fresh->requests = {config_.limits.requests_per_second, config_.limits.request_burst};
  watch_session(*fresh);
  sessions_[id] = std::move(fresh);
  return finish(step);
}

bool ChannelBook::joined(SessionId id) const {
  const auto found = sessions_.find(id);
  return found != sessions_.end() && found->second->member != nullptr;
}

Commands ChannelBook::received(SessionId id, const protocol::ClientMessage &message, Now now) {
  Step step{now, {}};
  MemberSession *from = session(id);
  if (!from)
    return finish(step);
  from->heard_ms = step.now.mono_ms;
  const Asked asked{*from, message.envelope.request_id};
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
  return finish(step);
}

Commands ChannelBook::malformed(SessionId id, const protocol::DecodeError &error, Now now) {
  Step step{now, {}};
  MemberSession *from = session(id);
  if (!from)
    return finish(step);
  from->heard_ms = step.now.mono_ms;
  if (error.is_join)
    totals_.joins[static_cast<int>(error.code)]++;
  // Where a frame has several ids, its sender may wait for any of them.
  for (std::int64_t request_id : {error.request_id, error.last_request_id})
    if (request_id)
      refuse(step, Asked{*from, request_id}, error.code, error.reason);
  if (!error.request_id)
    step.out.push_back(Send{{id}, protocol::ErrorEvent{error.code, error.reason}});
  return finish(step);
}

Commands ChannelBook::disconnected(SessionId id, Now now) {
  Step step{now, {}};
  if (MemberSession *gone = session(id))
    end_session(step, *gone);
  return finish(step);
}

Commands ChannelBook::tick(Now now) {
  Step step{now, {}};
  if (const auto due = cluster_ ? cluster_->next_deadline() : std::nullopt;
      due && *due <= step.now.mono_ms)
    later([] (cluster::Cluster &all, cluster::Moment at) { all.tick(at); });
  while (const auto due = deadlines_.pop(step.now.mono_ms)) {
    if (due->kind == Deadline::drain) {
      send_some_away(step);
      continue;
    }
    if (due->kind == Deadline::rule) {
      check_rule(step, due->id);
      continue;
    }
    if (due->kind == Deadline::tell) {
      check_telling(step, due->id);
      continue;
    }
    if (due->kind == Deadline::look) {
      look_elsewhere(step);
      continue;
    }
    if (due->kind == Deadline::feed) {
      end_feed(step, due->id);
      continue;
    }
    if (due->kind == Deadline::mix) {
      check_mixes(step, due->id);
      continue;
    }
    if (due->kind == Deadline::old_player) {
      drop_old_players(step, due->id);
      continue;
    }
    if (due->kind == Deadline::pull) {
      check_pull(step, due->id);
      continue;
    }
    if (due->kind == Deadline::session) {
      if (MemberSession *which = session(due->id))
        check_session(step, *which);
      continue;
    }
    Member *which = member(due->id);
    if (!which)
      continue;
    if (due->kind == Deadline::grace)
      end_grace(step, *which);
    else if (due->kind == Deadline::orphan)
      end_orphan(step, *which);
    else if (due->kind == Deadline::describe)
      describe_again(*which);
    else if (due->kind == Deadline::token)
      check_grant(step, *which);
    else if (due->kind == Deadline::wanted)
      check_wanted(step, *which);
    else if (due->kind == Deadline::previous)
      forget_stream(step, which->previous);
    else if (which->entrance == Entrance::encoder)
      remove(step, *which, LeaveReason::normal);
    else
      withdraw(step, *which);
  }
  return finish(step);
}

void ChannelBook::answer(Step &step, const Asked &asked, protocol::Answer answer) {
  answer.request_id = asked.id;
  totals_.answers[static_cast<int>(answer.code)]++;
  step.out.push_back(Send{{asked.session.id}, std::move(answer)});
}

void ChannelBook::refuse(Step &step, const Asked &asked, Code code, std::string reason) {
  protocol::Answer failure;
  failure.code = code;
  failure.reason = std::move(reason);
  answer(step, asked, std::move(failure));
}

void ChannelBook::tell(Step &step, const Member &member, protocol::Event event) {
  if (!member.session)
    return;
  totals_.events++;
  step.out.push_back(Send{{member.session->id}, std::move(event)});
}

void ChannelBook::notice(Step &step, const Member &member, NoticeKind kind, LeaveReason reason) {
  if (member.entrance == Entrance::mix)
    return;
  step.out.push_back(Notice{kind, member.channel->app_id, member.channel->name, member.uid,
                            member.account, member.role, member.platform, reason, step.now.wall_s,
                            member.joined_at});
}

void ChannelBook::end_session(Step &step, MemberSession &session) {
  if (Member *left = session.member; left && left->entrance == Entrance::mix) {
    // It comes from this machine: its socket is lost when it is.
    left->session = nullptr;
    remove(step, *left, LeaveReason::other);
  } else if (left) {
    left->session = nullptr;
    begin_grace(step, *left);
  }
  deadlines_.cancel({Deadline::session, session.id});
  if (session.entrance != Entrance::mix)
    leave_network(session.network, step.now);
  sessions_.erase(session.id);
}

void ChannelBook::begin_grace(Step &step, Member &member) {
  stop_listing(step, member);
  if (!std::exchange(member.in_grace, true))
    totals_.in_grace++;
  deadlines_.set({Deadline::grace, member.id}, step.now.mono_ms + config_.times.grace_ms);
}

void ChannelBook::close(Step &step, MemberSession &session, CloseCode code, std::string reason) {
  step.out.push_back(Close{session.id, code, std::move(reason)});
  end_session(step, session);
}

void ChannelBook::watch_session(MemberSession &session) {
  std::int64_t at = session.heard_ms + config_.times.silence_ms;
  if (!session.member)
    at = std::min(at, session.join_by_ms);
  deadlines_.set({Deadline::session, session.id}, at);
}

// The timer isn't moved at each frame; it looks, when it fires, whether anything was heard since.
void ChannelBook::check_session(Step &step, MemberSession &session) {
  if (step.now.mono_ms - session.heard_ms >= config_.times.silence_ms)
    close(step, session, CloseCode::silent, "no frame for too long");
  else if (!session.member && step.now.mono_ms >= session.join_by_ms)
    close(step, session, CloseCode::never_joined, "no join in time");
  else
    watch_session(session);
}

MemberSession *ChannelBook::session(SessionId id) {
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second.get();
}

Member *ChannelBook::member(MemberId id) {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : it->second.get();
}

Channel *ChannelBook::find_channel(std::string_view app_id, std::string_view name) {
  return const_cast<Channel *>(std::as_const(*this).find_channel(app_id, name));
}

const Channel *ChannelBook::find_channel(std::string_view app_id, std::string_view name) const {
  const auto it = channels_.find(channel_key(app_id, name));
  return it == channels_.end() ? nullptr : it->second.get();
}

Channel &ChannelBook::make_channel(const std::string &app_id, const std::string &name) {
  auto &slot = channels_[channel_key(app_id, name)];
  if (!slot) {
    slot = std::make_unique<Channel>();
    slot->key = channel_key(app_id, name);
    slot->app_id = app_id;
    slot->name = name;
    slot->id = next_channel_++;
    // Not many at once, however long it was quiet: others wait while they are sent.
    slot->events = {config_.limits.events_per_second, config_.limits.events_per_second / 4};
    slot->list_events = list_share(config_.limits.events_per_second);
  }
  return *slot;
}

// With its first member.
void ChannelBook::open_channel(Step &step, Channel &channel, bool begins) {
  if (std::exchange(channel.open, true))
    return;
  channels_of_app_[channel.app_id]++;
  if (begins)
    notice_channel(step, channel, NoticeKind::channel_created);
  begin_remote_voices(step, channel);
}

std::optional<std::int64_t> ChannelBook::next_deadline() const {
  const auto own = deadlines_.next();
  const auto other = cluster_ ? cluster_->next_deadline() : std::nullopt;
  return own && other ? std::min(*own, *other) : own ? own : other;
}

std::vector<ChannelInfo> ChannelBook::channels(std::string_view app_id) const {
  std::vector<ChannelInfo> found;
  for (const auto &[key, channel] : channels_)
    if (channel->open && channel->app_id == app_id)
      found.push_back(
          {channel->name, channel->broadcasters, channel->members.size() - channel->broadcasters});
  std::sort(found.begin(), found.end(),
            [] (const ChannelInfo &a, const ChannelInfo &b) { return a.channel < b.channel; });
  return found;
}

Totals ChannelBook::totals() const {
  Totals totals = totals_;
  totals.sessions = sessions_.size();
  totals.members = members_.size() - totals_.mixes - orphans_;
  for (const auto &[app, count] : channels_of_app_)
    totals.channels += count;
  return totals;
}

std::optional<std::vector<MemberInfo>> ChannelBook::members(std::string_view app_id,
                                                            std::string_view channel) const {
  const Channel *found = find_channel(app_id, channel);
  if (!found || !found->open)
    return {};
  std::vector<MemberInfo> members;
  members.reserve(found->members.size());
  for (const auto &[uid, member] : found->members)
    members.push_back(info_of(*member));
  std::sort(members.begin(), members.end(),
            [] (const MemberInfo &a, const MemberInfo &b) { return a.uid < b.uid; });
  return members;
}

std::optional<MemberInfo> ChannelBook::member(std::string_view app_id, std::string_view channel,
                                              protocol::Uid uid) const {
  const Channel *found = find_channel(app_id, channel);
  if (!found)
    return {};
  const auto it = found->members.find(uid);
  if (it == found->members.end())
    return {};
  return info_of(*it->second);
}

}  // namespace agora::gateway
