// SPDX-License-Identifier: LGPL-2.1-or-later
// What the members of a channel hear of each other: streams and mutes. One change makes as many
// events as there are members, so it is not the change that is told but the state: at once where
// the channel's allowance is paid, else as soon as it is, and then only the last state counts.
// Everybody in the channel has been told the same, whoever joins included.
#include <algorithm>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::EventKind;

namespace {

// How long those wait who change more often than their allowance of changes has it.
constexpr std::int64_t hasty_ms = 1'000;

}  // namespace

// Whether there is nothing to tell.
bool ChannelBook::is_told(const Channel &channel, Uid uid, const Told &told) const {
  const auto found = channel.members.find(uid);
  if (found == channel.members.end())
    return told.publication == 0;
  const Member &member = *found->second;
  if (told.publication != (member.live ? member.publication : 0))
    return false;
  // Nobody needs to know how one is muted who sends nothing.
  return (!member.live && !member.next) ||
         (told.audio_muted == member.audio_muted && told.video_muted == member.video_muted);
}

void ChannelBook::stop_waiting(Channel &channel, Told &told) {
  channel.changed.erase(told.waits);
  channel.hasty.erase(told.waits);
  told.waits = 0;
}

void ChannelBook::changed(Step &step, Channel &channel, Uid uid) {
  Told &told = channel.told[uid];
  const auto found = channel.members.find(uid);
  Member *member = found == channel.members.end() ? nullptr : found->second;
  if (is_told(channel, uid, told)) {
    stop_waiting(channel, told);
    const bool blank = !told.publication && !told.audio_muted && !told.video_muted;
    if (!member || blank)
      channel.told.erase(uid);
    return;
  }
  const bool hasty =
      member && config_.limits.changes_per_second && !member->changes.take(step.now.mono_ms);
  if (told.waits)
    return;
  told.waits = ++channel.places;
  if (!hasty) {
    channel.changed[told.waits] = uid;
  } else {
    if (channel.hasty.empty())
      channel.hasty_at_ms = step.now.mono_ms + hasty_ms;
    channel.hasty[told.waits] = uid;
  }
  tell_changes(step, channel);
}

void ChannelBook::tell_changes(Step &step, Channel &channel) {
  const std::int64_t now = step.now.mono_ms;
  while (!channel.changed.empty() &&
         (!config_.limits.events_per_second || channel.events.is_paid(now)))
    tell_change(step, channel, channel.changed.begin()->second);

  const DeadlineKey key{Deadline::tell, channel.id};
  std::optional<std::int64_t> next;
  if (!channel.changed.empty())
    next = now + std::max<std::int64_t>(channel.events.owed_ms(), 1);
  if (!channel.hasty.empty())
    next = std::min(next.value_or(channel.hasty_at_ms), channel.hasty_at_ms);
  if (next) {
    telling_[channel.id] = &channel;
    deadlines_.set(key, *next);
  } else if (telling_.erase(channel.id) > 0) {
    deadlines_.cancel(key);
  }
}

void ChannelBook::check_telling(Step &step, std::uint64_t id) {
  const auto found = telling_.find(id);
  if (found == telling_.end())
    return;
  Channel &channel = *found->second;
  if (!channel.hasty.empty() && channel.hasty_at_ms <= step.now.mono_ms) {
    // Behind those who wait already.
    for (const auto &[place, uid] : std::exchange(channel.hasty, {})) {
      Told &told = channel.told.at(uid);
      told.waits = ++channel.places;
      channel.changed[told.waits] = uid;
    }
  }
  tell_changes(step, channel);
}

void ChannelBook::tell_change(Step &step, Channel &channel, Uid uid) {
  Told &told = channel.told.at(uid);
  stop_waiting(channel, told);
  const auto found = channel.members.find(uid);
  const Member *member = found == channel.members.end() ? nullptr : found->second;
  const std::uint64_t publication = member && member->live ? member->publication : 0;
  const bool comes = publication && told.publication != publication;
  if (told.publication && told.publication != publication)
    tell_others(step, channel, uid, {EventKind::stream_removed, uid});
  told.publication = publication;
  if (!member) {
    channel.told.erase(uid);
    return;
  }
  if (comes)
    tell_others(step, channel, uid, {EventKind::stream_added, uid});
  if (!member->live && !member->next)
    return;
  // With the stream comes how it is muted.
  if (std::exchange(told.audio_muted, member->audio_muted) != member->audio_muted ||
      (comes && member->audio_muted))
    tell_others(step, channel, uid, {EventKind::audio_mute, uid, "", 0, member->audio_muted});
  if (std::exchange(told.video_muted, member->video_muted) != member->video_muted ||
      (comes && member->video_muted))
    tell_others(step, channel, uid, {EventKind::video_mute, uid, "", 0, member->video_muted});
}

void ChannelBook::tell_others(Step &step, Channel &channel, Uid uid, protocol::Event event) {
  std::vector<SessionId> to;
  to.reserve(channel.members.size());
  for (const auto &[other_uid, other] : channel.members)
    if (other_uid != uid && other->session)
      to.push_back(other->session->id);
  for (const Member *mix : channel.mixes)
    if (mix->session)
      to.push_back(mix->session->id);
  if (to.empty())
    return;
  totals_.events += to.size();
  channel.events.charge(step.now.mono_ms, to.size());
  step.out.push_back(Send{std::move(to), std::move(event)});
}

}  // namespace agora::gateway
