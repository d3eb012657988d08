// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::Role;

namespace {

// In slices, so that not all come to the next gateway at once.
constexpr std::int64_t slice_ms = 200;
constexpr std::int64_t look_again_ms = 1'000;

bool has_sound (const Member &member) {
  return (member.live && member.live->is_pushed()) || (member.next && member.next->is_pushed()) ||
         std::any_of(member.subscriptions.begin(), member.subscriptions.end(),
                     [] (const auto &each) { return each.second.client != 0; });
}

}  // namespace

Commands ChannelBook::service_lost(Now now) {
  Step step{now, {}};
  if (std::exchange(service_lost_, true))
    return finish(step);
  std::vector<SessionId> all;
  for (const auto &[id, who] : members_)
    if (who->session)
      all.push_back(who->session->id);
  if (!all.empty())
    step.out.push_back(
        Send{std::move(all), protocol::ErrorEvent{Code::service_lost, "the media server is lost"}});
  return finish(step);
}

Commands ChannelBook::close_all(Now now) {
  Step step{now, {}};
  closed_ = true;
  std::vector<SessionId> all;
  all.reserve(sessions_.size());
  for (const auto &[id, unused] : sessions_)
    all.push_back(id);
  if (!all.empty())
    step.out.push_back(
        Send{all, protocol::ErrorEvent{Code::drain, "the gateway is shutting down"}});
  for (const auto &[id, who] : members_)
    if (!who->orphan) {
      release(*who);
      notice(step, *who, NoticeKind::member_out, LeaveReason::drain);
    }
  for (const auto &[key, channel] : channels_)
    if (channel->open && !cluster_)
      notice_channel(step, *channel, NoticeKind::channel_destroyed);
  for (SessionId id : all)
    step.out.push_back(Close{id, CloseCode::going_away, "the gateway is shutting down"});
  sessions_.clear();
  networks_.clear();
  telling_.clear();
  looks_ = {};
  deaf_.clear();
  moved_.clear();
  stuck_.clear();
  members_.clear();
  totals_.in_grace = totals_.streams = totals_.mixes = 0;
  channels_.clear();
  channels_of_app_.clear();
  streams_.clear();
  pushing_.clear();
  playing_.clear();
  relayed_.clear();
  newcomers_.clear();
  encoders_.clear();
  feeds_.clear();
  to_send_away_.clear();
  deadlines_ = {};
  return finish(step);
}

// Everybody is told within the first half of the time, so that the last ones have the other half.
// Listeners first: they hear on from here until a speaker has moved, who stops sending here soon
// after. The speakers of a channel all at once: by then they hear each other only there.
Commands ChannelBook::drain(std::int64_t for_ms, Now now) {
  Step step{now, {}};
  if (std::exchange(draining_, true))
    return finish(step);
  for (const auto &[id, who] : members_)
    if (!who->orphan)
      to_send_away_.push_back(id);
  // The first ones stand at the end.
  std::sort(to_send_away_.begin(), to_send_away_.end(), [this] (MemberId left, MemberId right) {
    const Member &one = *member(left), &other = *member(right);
    if (one.role != other.role)
      return one.role == Role::broadcaster;
    return one.channel->key < other.channel->key;
  });
  const auto slices = static_cast<std::size_t>(std::max<std::int64_t>(for_ms / 2 / slice_ms, 1));
  slice_ = (to_send_away_.size() + slices - 1) / slices;
  slice_at_ms_ = step.now.mono_ms;
  send_some_away(step);
  return finish(step);
}

void ChannelBook::send_some_away(Step &step) {
  std::vector<SessionId> to;
  const Channel *together = nullptr;
  for (; !to_send_away_.empty(); to_send_away_.pop_back()) {
    const Member *who = member(to_send_away_.back());
    if (!who || !who->session)
      continue;
    if (to.size() >= slice_ && who->channel != together)
      break;
    to.push_back(who->session->id);
    together = who->role == Role::broadcaster ? who->channel : nullptr;
  }
  if (!to.empty())
    step.out.push_back(
        Send{std::move(to), protocol::ErrorEvent{Code::drain, "the gateway is shutting down"}});
  // By the plan, so that a late one is followed sooner.
  slice_at_ms_ += slice_ms;
  if (!to_send_away_.empty())
    deadlines_.set({Deadline::drain, 0}, slice_at_ms_);
}

// Who was sent away and hasn't found a place yet goes on as long as its sound does.
void ChannelBook::end_grace(Step &step, Member &member) {
  if (draining_ && has_sound(member))
    deadlines_.set({Deadline::grace, member.id}, step.now.mono_ms + look_again_ms);
  else
    remove(step, member, draining_ ? LeaveReason::drain : LeaveReason::silent);
}

}  // namespace agora::gateway
