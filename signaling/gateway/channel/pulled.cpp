// SPDX-License-Identifier: LGPL-2.1-or-later
// What is pushed at another gateway comes here by a pull of this one's relay. Where that fails for
// good, the relay cuts those who listen: each is told a new URL at once, so that it asks anew, and
// the relay pulls anew. If that fails, too, all wait for a while, until the origin is back or its
// speaker is gone, which the other gateways tell (`stream-removed`).
#include <algorithm>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

namespace {

// After so long a failure is the first one again. Longer than from one to the next of a row.
constexpr std::int64_t lately_ms = 10'000;
// From the second failure in a row on, twice as long each time.
constexpr std::int64_t first_pause_ms = 1'000;
constexpr std::int64_t longest_pause_ms = 4'000;
constexpr unsigned most_doublings = 2;

}  // namespace

Voice *ChannelBook::voice_of(const std::string &stream) {
  const auto named = streams_.find(stream);
  if (named == streams_.end())
    return nullptr;
  const Member *owner = member(named->second.owner);
  Channel *channel = owner ? owner->channel : named->second.channel;
  Voice *voice = channel ? find_voice(*channel, named->second.uid) : nullptr;
  const auto is_it = [&] (const auto &each) { return each.second == stream; };
  return voice && std::ranges::any_of(voice->streams, is_it) ? voice : nullptr;
}

Commands ChannelBook::stream_pulled(const std::string &stream, Now now) {
  Step step{now, {}};
  // Somebody asked by itself: then all may.
  if (Voice *voice = voice_of(stream); voice && stuck_.contains(voice->id)) {
    deadlines_.cancel({Deadline::pull, voice->id});
    check_pull(step, voice->id);
  }
  return finish(step);
}

// Before the ends of their sessions are told.
Commands ChannelBook::listeners_cut(const std::string &stream, Now now) {
  Step step{now, {}};
  Voice *voice = voice_of(stream);
  if (!voice)
    return finish(step);
  for (const MemberId id : voice->listeners) {
    Subscription &subscription = member(id)->subscriptions.at(voice->uid);
    subscription.cut |= subscription.client != 0 && subscription.stream == stream;
  }
  if (stuck_.contains(voice->id))
    return finish(step);
  if (now.mono_ms - std::exchange(voice->cut_ms, now.mono_ms) >= lately_ms)
    voice->cuts = 0;
  const unsigned before = voice->cuts++;
  if (before == 0) {
    send_on(step, *voice);
    return finish(step);
  }
  const auto pause = first_pause_ms << std::min(before - 1, most_doublings);
  stuck_[voice->id] = voice;
  deadlines_.set({Deadline::pull, voice->id}, now.mono_ms + std::min(pause, longest_pause_ms));
  return finish(step);
}

// Whoever came back by itself meanwhile has what it needs.
void ChannelBook::send_on(Step &step, const Voice &voice) {
  for (const MemberId id : voice.listeners) {
    Member &listener = *member(id);
    Subscription &subscription = listener.subscriptions.at(voice.uid);
    if (!std::exchange(subscription.cut, false))
      continue;
    grant_play(subscription, step.now);
    subscription.moved = !listener.session;
    tell_new_url(step, listener, voice.uid, subscription);
  }
}

void ChannelBook::check_pull(Step &step, std::uint64_t voice) {
  if (const auto found = stuck_.extract(voice))
    send_on(step, *found.mapped());
}

void ChannelBook::forget_pull(Voice &voice) {
  if (stuck_.erase(voice.id) > 0)
    deadlines_.cancel({Deadline::pull, voice.id});
  voice.cuts = 0;
}

}  // namespace agora::gateway
