// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::EventKind;
using protocol::Grant;
using protocol::Privilege;
using protocol::Role;

namespace {

// A wall clock that was set wrong and is put right must not make a token outlive its end by much.
constexpr std::int64_t token_look_again_s = 60;

// When something of the grant ends, earliest first; what has no end isn't in it.
std::array<std::int64_t, 5> ends_of (const Grant &grant) {
  std::array<std::int64_t, 5> ends{};
  ends[0] = grant.token_ends_at;
  for (int i = 1; i < 5; i++) {
    const auto &item = grant.privileges[static_cast<std::size_t>(i)];
    if (item.allowed)
      ends[static_cast<std::size_t>(i)] = item.ends_at;
  }
  std::sort(ends.begin(), ends.end());
  return ends;
}

}  // namespace

std::string ChannelBook::push_url(const Member &member, const PublishedStream &published,
                                  Now now) const {
  return media_url(member.entrance, member.host, published.stream,
                   signer_.write(Direction::push, published.stream, member.id, published.grant,
                                 now.wall_s + config_.times.url_lifetime_s));
}

std::string ChannelBook::play_url(const Member &member, const Subscription &subscription) const {
  return media_url(member.entrance, member.host, subscription.stream,
                   signer_.write(Direction::play, subscription.stream, member.id,
                                 subscription.grant, subscription.ends_at));
}

std::string ChannelBook::media_url(Entrance entrance, std::string_view reached_by,
                                   const std::string &stream, const std::string &args) const {
  // What runs on this machine needs no way around.
  if (entrance != Entrance::front && !config_.near_host.empty())
    return config_.near_scheme + "://" + url_host(config_.near_host) + ":" +
           std::to_string(config_.near_port) + "/" + config_.rtmp_app + "/" + stream + "?" + args;
  std::string host = url_host(config_.rtmp_host.empty() ? reached_by : config_.rtmp_host);
  if (host.empty())
    host = "localhost";
  return config_.rtmp_scheme + "://" + host + ":" + std::to_string(config_.rtmp_port) + "/" +
         config_.rtmp_app + "/" + stream + "?" + args;
}

void ChannelBook::set_role(Step &step, Member &member, Role role) {
  if (member.role == role)
    return;
  if (role == Role::audience)
    unpublish(step, member);
  member.role = role;
  if (role == Role::broadcaster)
    member.channel->broadcasters++;
  else
    member.channel->broadcasters--;
  describe(member);
  notice(step, member, NoticeKind::role_changed);
}

void ChannelBook::drop_push(Step &step, PublishedStream &published) {
  if (const std::uint64_t client = std::exchange(published.client, 0)) {
    pushing_.erase(client);
    step.out.push_back(DropMedia{published.stream, Direction::push, client});
  }
}

void ChannelBook::forget_stream(Step &step, std::optional<Offer> &offer) {
  if (!offer)
    return;
  for (PublishedStream &each : offer->streams) {
    drop_push(step, each);
    if (const auto named = streams_.extract(each.stream))
      drop_relays(step, named.key(), named.mapped());
  }
  offer.reset();
}

void ChannelBook::unpublish(Step &step, Member &member) {
  withdraw(step, member);
  forget_stream(step, member.next);
}

// The stream is gone for the others. The URLs of a push that merely got lost stay good, so that the
// publisher may still return, but as a new stream to them.
void ChannelBook::withdraw(Step &step, Member &member) {
  if (!member.live)
    return;
  deadlines_.cancel({Deadline::hold, member.id});
  deadlines_.cancel({Deadline::previous, member.id});
  forget_stream(step, member.previous);
  // Of an orphan it may have gone on elsewhere.
  if (const Voice *mine = find_voice(*member.channel, member.uid);
      mine && mine->member == &member) {
    const auto voice = member.channel->voices.extract(member.uid);
    totals_.streams--;
    hush(member);
    // Told before the sessions of its listeners end.
    changed(step, *member.channel, member.uid);
    notice(step, member, NoticeKind::stream_removed);
    end_voice(step, voice.mapped());
  }
  if (!member.next && !member.live->is_pushed())
    member.next = std::exchange(member.live, std::nullopt);
  else
    forget_stream(step, member.live);
}

void ChannelBook::hold(Step &step, Member &member) {
  deadlines_.set({Deadline::hold, member.id}, step.now.mono_ms + config_.times.hold_ms);
}

void ChannelBook::remove(Step &step, Member &member, LeaveReason reason, bool keep_channel) {
  unpublish(step, member);
  while (!member.subscriptions.empty())
    unsubscribe(step, member, member.subscriptions.begin()->first);
  if (MemberSession *socket = member.session) {
    socket->member = nullptr;
    socket->join_by_ms = step.now.mono_ms + config_.times.idle_ms;
    watch_session(*socket);
  }
  for (Deadline kind : {Deadline::grace, Deadline::token, Deadline::hold, Deadline::wanted})
    deadlines_.cancel({kind, member.id});
  leave_grace(member);
  stop_listing(step, member);
  notice(step, member, NoticeKind::member_out, reason);
  release(member);
  Channel &channel = *member.channel;
  const Entrance entrance = member.entrance;
  if (entrance == Entrance::encoder)
    encoders_.erase(member.stream_key);
  if (entrance == Entrance::mix) {
    channel.mixes.erase(&member);
    totals_.mixes--;
  } else {
    if (member.role == Role::broadcaster)
      channel.broadcasters--;
    channel.members.erase(member.uid);
    changed(step, channel, member.uid);
    // Where another takes its place, that is told.
    if (!keep_channel)
      list_changed(step, channel, member.uid);
  }
  if (!member.account.empty())
    channel.accounts.erase(member.account);
  members_.erase(member.id);
  if (entrance == Entrance::web)
    leave_web(step, channel);
  if (!keep_channel)
    destroy_if_empty(step, channel);
}

void ChannelBook::notice_channel(Step &step, const Channel &channel, NoticeKind kind) {
  Notice what;
  what.kind = kind;
  what.app_id = channel.app_id;
  what.channel = channel.name;
  what.at = step.now.wall_s;
  step.out.push_back(std::move(what));
}

void ChannelBook::destroy_if_empty(Step &step, Channel &channel) {
  if (!channel.members.empty())
    return;
  if (std::exchange(channel.open, false)) {
    // Of a cluster it is the store that knows.
    if (!cluster_)
      notice_channel(step, channel, NoticeKind::channel_destroyed);
    const auto count = channels_of_app_.find(channel.app_id);
    if (--count->second == 0)
      channels_of_app_.erase(count);
  }
  if (!channel.orphans.empty())
    return;
  end_remote_voices(step, channel);
  if (!channel.mixes.empty())
    return;
  telling_.erase(channel.id);
  deadlines_.cancel({Deadline::tell, channel.id});
  deaf_.erase(channel.id);
  deadlines_.cancel({Deadline::mix, channel.id});
  const std::string key = channel.key;
  channels_.erase(key);
}

bool ChannelBook::may_publish(const Member &member, Now now) const {
  return !member.grant || member.grant->allows(Privilege::publish_audio, now.wall_s);
}

void ChannelBook::set_grant(Step &step, Member &member, const std::optional<Grant> &grant) {
  member.grant = grant;
  member.warned_s = 0;
  check_grant(step, member);
}

bool ChannelBook::check_grant(Step &step, Member &member) {
  deadlines_.cancel({Deadline::token, member.id});
  if (!member.grant)
    return true;
  const std::int64_t wall = step.now.wall_s;
  const std::int64_t last = member.grant->membership_ends_at();
  if (last && last <= wall) {
    tell(step, member, {EventKind::key_expired});
    remove(step, member, LeaveReason::other);
    return false;
  }
  if ((member.live || member.next) && !may_publish(member, step.now))
    unpublish(step, member);

  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  bool warn = false;
  for (std::int64_t end : ends_of(*member.grant)) {
    if (end == 0 || end <= wall)
      continue;
    next = std::min(next, end);
    if (end <= member.warned_s)
      continue;
    if (end - config_.times.warn_s <= wall) {
      member.warned_s = end;
      warn = true;
    } else {
      next = std::min(next, end - config_.times.warn_s);
    }
  }
  if (warn)
    tell(step, member, {EventKind::key_will_expire});
  if (next != std::numeric_limits<std::int64_t>::max())
    deadlines_.set({Deadline::token, member.id},
                   step.now.mono_ms + std::min(next - wall, token_look_again_s) * 1000);
  return true;
}

}  // namespace agora::gateway
