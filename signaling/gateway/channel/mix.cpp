// SPDX-License-Identifier: LGPL-2.1-or-later
// The ears of agora-web: all browsers of a channel that only listen hear one mix, whose worker gets
// the streams as a member that nobody sees; and so do all who play the mix by a play key
// (feeds.cpp). It needs no token of its own, so it is let in only where a browser's member is, who
// has shown one, or a player by the operator's key: a worker that strangers took over hears no
// other channel.
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::Role;

namespace {

// Workers may change theirs, each for a moment.
constexpr std::size_t most_mixes = 128;
// Without anybody who hears it, a mix is closed: time for the next one to come.
constexpr std::int64_t deaf_ms = 10'000;

}  // namespace

std::optional<std::pair<Code, std::string>> ChannelBook::check_mix(
    const protocol::Join &join, const MemberSession &session) const {
  if (!config_.apps.contains(join.app_id))
    return {{Code::app_invalid, "unknown app id"}};
  if (join.role != Role::audience)
    return {{Code::not_permitted, "a mix only listens"}};
  const Channel *there = find_channel(join.app_id, join.channel);
  if (session.member)
    return session.member->channel == there
               ? std::nullopt
               : std::optional(std::pair(Code::bad_request, "already in a channel: leave first"));
  if (!wants_mix(channel_key(join.app_id, join.channel), there))
    return {{Code::not_permitted, "no browser is in the channel, and nobody plays its mix"}};
  if (there && there->mixes.size() >= most_mixes)
    return {{Code::too_many, "the channel has too many mixes"}};
  return {};
}

void ChannelBook::join_as_mix(Step &step, const Asked &asked, const protocol::Join &join) {
  if (auto wrong = check_mix(join, asked.session))
    return refuse(step, asked, wrong->first, std::move(wrong->second));
  if (asked.session.member)
    return welcome(step, asked, *asked.session.member, join);
  Channel &channel = make_channel(join.app_id, join.channel);
  auto fresh = std::make_unique<Member>();
  Member &member = *fresh;
  member.id = new_member_id();
  member.channel = &channel;
  member.entrance = Entrance::mix;
  member.uid = pick_uid(join, {});
  member.joined_at = step.now.wall_s;
  members_[member.id] = std::move(fresh);
  totals_.mixes++;
  channel.mixes.insert(&member);
  take_over(step, member, asked.session);
  welcome(step, asked, member, join);
}

// `channel`: that of the key; null: nobody is there.
bool ChannelBook::wants_mix(const std::string &key, const Channel *channel) const {
  return (channel && channel->web_members > 0) || feeds_.of_channel(key);
}

// A browser's member has gone.
void ChannelBook::leave_web(Step &step, Channel &channel) {
  channel.web_members--;
  close_ears(step, channel);
}

// Where nobody hears its mixes any more, they go a while later.
void ChannelBook::close_ears(Step &step, Channel &channel) {
  if (wants_mix(channel.key, &channel) || channel.mixes.empty())
    return;
  deaf_[channel.id] = &channel;
  deadlines_.set({Deadline::mix, channel.id}, step.now.mono_ms + deaf_ms);
}

void ChannelBook::check_mixes(Step &step, std::uint64_t id) {
  const auto found = deaf_.find(id);
  if (found == deaf_.end())
    return;
  Channel &channel = *found->second;
  deaf_.erase(found);
  if (wants_mix(channel.key, &channel))
    return;
  const auto mixes = channel.mixes;
  // The last one takes the channel along.
  for (Member *mix : mixes)
    if (MemberSession *session = mix->session)
      close(step, *session, CloseCode::normal, "nobody hears the mix any more");
}

}  // namespace agora::gateway
