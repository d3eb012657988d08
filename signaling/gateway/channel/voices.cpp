// SPDX-License-Identifier: LGPL-2.1-or-later
// What is on the air in a channel, and who plays it.
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

namespace {

// Sessions at the media server that are cut one by one; more are cut by the name of their stream.
constexpr std::size_t most_single_drops = 32;
// What was admitted so lately may not be in the media server's lists.
constexpr std::int64_t fresh_ms = 2'000;

}  // namespace

Voice *ChannelBook::find_voice(Channel &channel, Uid uid) {
  const auto found = channel.voices.find(uid);
  return found == channel.voices.end() ? nullptr : &found->second;
}

// It is played by another URL from now on.
void ChannelBook::grant_play(Subscription &subscription, Now now) const {
  subscription.grant = random_id(config_.random);
  subscription.ends_at = now.wall_s + config_.times.url_lifetime_s;
  subscription.given = false;
}

Voice &ChannelBook::add_voice(Channel &channel, Uid uid) {
  Voice &voice = channel.voices[uid];
  voice.id = next_voice_++;
  voice.channel = &channel;
  voice.uid = uid;
  voice.publication = ++channel.publications;
  return voice;
}

void ChannelBook::announce(Step &step, Member &member) {
  Channel &channel = *member.channel;
  carry(add_voice(channel, member.uid), member);
  move_players(step, channel, member.uid);
  changed(step, channel, member.uid);
  notice(step, member, NoticeKind::stream_added);
}

// From now on it is what this member pushes.
void ChannelBook::carry(Voice &voice, Member &member) {
  if (!voice.member) {
    forget_remote_streams(voice);
    totals_.streams++;
  }
  forget_pull(voice);
  voice.member = &member;
  voice.origin.clear();
  voice.streams = member.live->names();
  voice.to = member.live->to;
  voice.name = member.name;
  voice.audio_muted = member.audio_muted;
  voice.video_muted = member.video_muted;
}

void ChannelBook::drop_play(Step &step, Subscription &subscription) {
  if (const std::uint64_t client = std::exchange(subscription.client, 0)) {
    playing_.erase(client);
    step.out.push_back(DropMedia{subscription.stream, Direction::play, client});
  }
}

void ChannelBook::drop_old_player(Step &step, Subscription &subscription) {
  if (const std::uint64_t client = std::exchange(subscription.old_player, 0)) {
    playing_.erase(client);
    step.out.push_back(
        DropMedia{std::exchange(subscription.old_player_stream, {}), Direction::play, client});
  }
}

void ChannelBook::drop_old_players(Step &step, std::uint64_t voice) {
  const auto found = moved_.find(voice);
  if (found == moved_.end())
    return;
  for (MemberId id : found->second->listeners)
    drop_old_player(step, member(id)->subscriptions.at(found->second->uid));
  moved_.erase(found);
}

// It is in its channel no more. One order by name for the many listeners. It passes over a session
// whose hook has only just been answered, so those get one each, which is tried again until it has
// hit.
void ChannelBook::end_voice(Step &step, Voice &voice) {
  if (moved_.erase(voice.id) > 0)
    deadlines_.cancel({Deadline::old_player, voice.id});
  forget_pull(voice);
  // Before all who play its name may be cut.
  move_players(step, *voice.channel, voice.uid);
  std::size_t playing = 0;
  for (MemberId id : voice.listeners)
    playing += member(id)->subscriptions.at(voice.uid).client ? 1 : 0;
  const bool many = playing > most_single_drops;
  if (!voice.member)
    forget_remote_streams(voice);
  for (const auto &[codec, stream] : voice.streams)
    if (many)
      step.out.push_back(DropMedia{stream, Direction::play, 0});
  for (MemberId id : voice.listeners) {
    Member &listener = *member(id);
    const auto found = listener.subscriptions.find(voice.uid);
    drop_old_player(step, found->second);
    const auto session = playing_.find(found->second.client);
    if (many && session != playing_.end() &&
        step.now.mono_ms - session->second.since_ms >= fresh_ms)
      playing_.erase(session);
    else
      drop_play(step, found->second);
    listener.subscriptions.erase(found);
  }
}

void ChannelBook::unsubscribe(Step &step, Member &member, Uid uid) {
  const auto found = member.subscriptions.find(uid);
  if (found == member.subscriptions.end())
    return;
  drop_play(step, found->second);
  drop_old_player(step, found->second);
  if (Voice *voice = find_voice(*member.channel, uid); voice && voice->listeners.erase(member.id))
    lose_listener(step, *voice, found->second.codec);
  member.subscriptions.erase(found);
}

// To be called before it gets another stream. The media server would keep its session on this one
// for as long as it stays: it is cut after a while. Not at once, so that a player may go over
// without a gap.
void ChannelBook::leave_stream(Step &step, Subscription &subscription) {
  if (!subscription.client)
    return;
  drop_old_player(step, subscription);
  subscription.old_player = std::exchange(subscription.client, 0);
  subscription.old_player_stream = subscription.stream;
}

void ChannelBook::watch_old_players(Step &step, Voice &voice) {
  moved_[voice.id] = &voice;
  deadlines_.set({Deadline::old_player, voice.id}, step.now.mono_ms + config_.times.old_player_ms);
}

// It is pushed under other names now: who plays an old one is told the new one.
void ChannelBook::move_listeners(Step &step, Voice &voice) {
  watch_old_players(step, voice);
  move_players(step, *voice.channel, voice.uid);
  if (voice.member && !voice.listeners.empty())
    voice.member->changes.take(step.now.mono_ms);
  voice.hearing.fill(0);
  for (MemberId id : voice.listeners) {
    Member *listener = member(id);
    Subscription &subscription = listener->subscriptions.at(voice.uid);
    leave_stream(step, subscription);
    // The new one may be offered in other codecs.
    set_codec(voice, subscription, codec_for(*listener, voice));
    grant_play(subscription, step.now);
    subscription.moved = !listener->session;
    subscription.cut = false;
    tell_new_url(step, *listener, voice.uid, subscription);
  }
  recount(step, voice);
}

}  // namespace agora::gateway
