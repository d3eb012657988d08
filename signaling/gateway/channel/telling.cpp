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

protocol::Event named (Uid uid, const std::string &name) {
  protocol::Event event{EventKind::member_named, uid};
  event.text = name;
  return event;
}

}  // namespace

News ChannelBook::news(const Channel &channel, Uid uid) {
  News news;
  const auto member = channel.members.find(uid);
  const auto voice = channel.voices.find(uid);
  news.member = member == channel.members.end() ? nullptr : member->second;
  if (voice != channel.voices.end()) {
    news.publication = voice->second.publication;
    news.to = voice->second.to;
    news.name = voice->second.name;
    news.is_sending = true;
    news.audio_muted = voice->second.audio_muted;
    news.video_muted = voice->second.video_muted;
  } else if (news.member) {
    const auto &offer = news.member->next ? news.member->next : news.member->live;
    news.is_sending = offer.has_value();
    if (offer)
      news.to = offer->to;
    news.audio_muted = news.member->audio_muted;
    news.video_muted = news.member->video_muted;
  }
  return news;
}

bool ChannelBook::is_told(const News &news, const Told &told) {
  if (news.publication && (told.to != news.to || told.name != news.name))
    return false;
  return told.publication == news.publication &&
         (!news.is_sending ||
          (told.audio_muted == news.audio_muted && told.video_muted == news.video_muted));
}

void ChannelBook::stop_waiting(Channel &channel, Told &told) {
  channel.changed.erase(told.waits);
  channel.hasty.erase(told.waits);
  told.waits = 0;
}

void ChannelBook::changed(Step &step, Channel &channel, Uid uid) {
  Told &told = channel.told[uid];
  const News what = news(channel, uid);
  if (is_told(what, told)) {
    stop_waiting(channel, told);
    const bool blank = !told.publication && !told.audio_muted && !told.video_muted;
    if (what.is_over() || blank)
      channel.told.erase(uid);
    return;
  }
  const bool hasty = what.member && config_.limits.changes_per_second &&
                     !what.member->changes.take(step.now.mono_ms);
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
  const auto listed_at = tell_list(step, channel);

  const DeadlineKey key{Deadline::tell, channel.id};
  std::optional<std::int64_t> next;
  if (!channel.changed.empty())
    next = now + std::max<std::int64_t>(channel.events.owed_ms(), 1);
  if (!channel.hasty.empty())
    next = std::min(next.value_or(channel.hasty_at_ms), channel.hasty_at_ms);
  if (listed_at)
    next = std::min(next.value_or(*listed_at), *listed_at);
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
  const News what = news(channel, uid);
  const bool comes = what.publication && told.publication != what.publication;
  const protocol::Addressees before = std::exchange(told.to, what.to);
  if (told.publication && told.publication != what.publication)
    tell_others(step, channel, uid, {EventKind::stream_removed, uid}, before);
  else if (told.publication && before != what.to)
    tell_others(step, channel, uid, {EventKind::stream_removed, uid}, before, &what.to);
  const bool renamed = std::exchange(told.name, what.name) != what.name;
  const bool stays = what.publication && !comes;
  told.publication = what.publication;
  if (what.is_over()) {
    channel.told.erase(uid);
    return;
  }
  if (comes)
    tell_added(step, channel, uid, what.to);
  else if (stays && before != what.to)
    tell_added(step, channel, uid, what.to, &before);
  if (stays && renamed)
    tell_others(step, channel, uid, named(uid, what.name), what.to);
  const bool differs = told.audio_muted != what.audio_muted || told.video_muted != what.video_muted;
  if (const auto voice = channel.voices.find(uid);
      (comes || renamed || (differs && what.is_sending)) && voice != channel.voices.end() &&
      voice->second.member)
    speak(voice->second);
  if (what.is_sending)
    tell_mutes(step, channel, uid, what, comes, before);
}

// Its name comes first, so that whoever is told can name it.
void ChannelBook::tell_added(Step &step, Channel &channel, Uid uid, const protocol::Addressees &to,
                             const protocol::Addressees *but) {
  if (const std::string &name = channel.told.at(uid).name; !name.empty())
    tell_others(step, channel, uid, named(uid, name), to, but);
  tell_others(step, channel, uid, {EventKind::stream_added, uid}, to, but);
}

void ChannelBook::tell_mutes(Step &step, Channel &channel, Uid uid, const News &what, bool comes,
                             const protocol::Addressees &before) {
  Told &told = channel.told.at(uid);
  const auto tell = [&] (EventKind kind, bool &known, bool muted) {
    const protocol::Event event{kind, uid, "", 0, muted};
    // With the stream comes how it is muted.
    if (std::exchange(known, muted) != muted || (comes && muted))
      tell_others(step, channel, uid, event, what.to);
    else if (muted && before != what.to)
      tell_others(step, channel, uid, event, what.to, &before);
  };
  tell(EventKind::audio_mute, told.audio_muted, what.audio_muted);
  tell(EventKind::video_mute, told.video_muted, what.video_muted);
}

void ChannelBook::tell_others(Step &step, Channel &channel, Uid uid, const protocol::Event &event,
                              const protocol::Addressees &to, const protocol::Addressees *but) {
  const bool is_talk = event.kind == EventKind::stream_added && !to.empty();
  std::vector<SessionId> plain, knowing;
  const bool for_all = event.kind != EventKind::member_named;
  for (const Member *other : others_of(channel, uid, to, but))
    if (for_all || other->knows_names)
      (is_talk && other->knows_talk ? knowing : plain).push_back(other->session->id);
  totals_.events += plain.size() + knowing.size();
  channel.events.charge(step.now.mono_ms, plain.size() + knowing.size());
  if (!plain.empty())
    step.out.push_back(Send{std::move(plain), event});
  if (knowing.empty())
    return;
  protocol::Event talk = event;
  talk.talk = true;
  step.out.push_back(Send{std::move(knowing), std::move(talk)});
}

}  // namespace agora::gateway
