// SPDX-License-Identifier: LGPL-2.1-or-later
// How a voice is encoded: what each listener gets of what a speaker offers, and what the speaker is
// told of that, so that it encodes only what somebody hears.
#include <algorithm>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Codec;
using protocol::Codecs;
using protocol::EventKind;

namespace {

bool contains (const Codecs &codecs, Codec codec) {
  return std::find(codecs.begin(), codecs.end(), codec) != codecs.end();
}

std::size_t place_of (Codec codec) {
  return static_cast<std::size_t>(codec);
}

}  // namespace

PublishedStream *Offer::find(std::string_view stream) {
  const auto found = std::find_if(streams.begin(), streams.end(),
                                  [&] (const auto &each) { return each.stream == stream; });
  return found == streams.end() ? nullptr : &*found;
}

bool Offer::end_push(std::uint64_t client) {
  bool ended = false;
  for (PublishedStream &each : streams)
    if (each.client == client) {
      each.client = 0;
      ended = true;
    }
  return ended;
}

bool Offer::is_pushed() const {
  return std::any_of(streams.begin(), streams.end(),
                     [] (const auto &each) { return each.client != 0; });
}

CodecStreams Offer::names() const {
  CodecStreams names;
  for (const PublishedStream &each : streams)
    names[each.codec] = each.stream;
  return names;
}

Codecs Offer::codecs() const {
  Codecs codecs;
  for (const Codec each : {Codec::aac, Codec::opus})
    if (std::any_of(streams.begin(), streams.end(),
                    [each] (const auto &stream) { return stream.codec == each; }))
      codecs.push_back(each);
  return codecs;
}

// A new name for each codec, the only ones that may be pushed to from now on.
void ChannelBook::make_offer(Step &step, Member &member, const Codecs &codecs, bool negotiated) {
  forget_stream(step, member.next);
  Offer &fresh = member.next.emplace();
  fresh.negotiated = negotiated;
  for (const Codec codec : codecs) {
    const PublishedStream each{codec, random_stream(config_.random), random_id(config_.random)};
    streams_[each.stream] = {member.id, member.uid, {}};
    fresh.streams.push_back(each);
  }
  if (negotiated)
    tell_wanted(step, member);
  else
    member.wanted = {};
}

Codec ChannelBook::codec_for(const Member &listener, const Voice &voice) {
  const auto found = std::find_if(listener.hears.begin(), listener.hears.end(),
                                  [&] (Codec codec) { return voice.streams.contains(codec); });
  return found == listener.hears.end() ? Codec::aac : *found;
}

// Each listener counts under the codec that it hears.
void ChannelBook::set_codec(Voice &voice, Subscription &subscription, Codec codec) {
  subscription.codec = codec;
  subscription.stream = voice.streams.at(codec);
  voice.hearing[place_of(codec)]++;
}

// For one who subscribes, or comes back and may hear other codecs now.
void ChannelBook::choose_codec(Step &step, const Member &listener, Voice &voice,
                               Subscription &subscription) {
  if (!voice.listeners.insert(listener.id).second)
    lose_listener(step, voice, subscription.codec);
  const Codec codec = codec_for(listener, voice);
  if (codec != subscription.codec) {
    leave_stream(step, subscription);
    watch_old_players(step, voice);
  }
  set_codec(voice, subscription, codec);
  recount(step, voice);
}

void ChannelBook::lose_listener(Step &step, Voice &voice, Codec codec) {
  voice.hearing[place_of(codec)]--;
  recount(step, voice);
}

// Somebody has come or gone. The speaker is told when all that happened at once is done.
void ChannelBook::recount(Step &step, const Voice &voice) {
  if (voice.member && voice.member->live->negotiated)
    deadlines_.set({Deadline::wanted, voice.member->id}, step.now.mono_ms);
}

// In any case: after what it was told before, it knows nothing any more.
void ChannelBook::tell_wanted(Step &step, Member &member) {
  member.wanted.tell = true;
  deadlines_.set({Deadline::wanted, member.id}, step.now.mono_ms);
}

// A listener, or another gateway on behalf of its own.
bool ChannelBook::is_heard(const Voice &voice, Codec codec) const {
  if (voice.hearing[place_of(codec)] > 0 || (codec == Codec::aac && is_played(voice)))
    return true;
  const auto name = voice.streams.find(codec);
  const auto named = name == voice.streams.end() ? streams_.end() : streams_.find(name->second);
  return named != streams_.end() && !named->second.relays.empty();
}

void ChannelBook::check_wanted(Step &step, Member &member) {
  const std::optional<Offer> &offer = member.next ? member.next : member.live;
  if (!member.session || !member.knows_codecs || !offer || !offer->negotiated)
    return;
  const Voice *voice = find_voice(*member.channel, member.uid);
  Wanted &known = member.wanted;
  Codecs codecs;
  std::optional<std::int64_t> next;
  for (const PublishedStream &each : offer->streams) {
    std::int64_t &until = known.until_ms[place_of(each.codec)];
    if (voice && voice->member == &member && is_heard(*voice, each.codec)) {
      until = 0;
      codecs.push_back(each.codec);
    } else if (contains(known.told, each.codec)) {
      // Not at once: who has gone may come back, and another one follow.
      if (until == 0)
        until = step.now.mono_ms + config_.times.unwanted_ms;
      if (until <= step.now.mono_ms)
        continue;
      next = std::min(next.value_or(until), until);
      codecs.push_back(each.codec);
    }
  }
  // Nobody hears it: something is to be on the air all the same, so that somebody can.
  for (const PublishedStream &each : offer->streams)
    if (codecs.empty() && contains(known.told, each.codec))
      codecs.push_back(each.codec);
  if (codecs.empty())
    codecs.push_back(offer->streams.front().codec);
  if (next)
    deadlines_.set({Deadline::wanted, member.id}, *next);
  const bool differs = codecs != known.told;
  if (!std::exchange(known.tell, false) && !differs)
    return;
  known.told = codecs;
  protocol::Event event{EventKind::codecs_wanted};
  event.codecs = std::move(codecs);
  tell(step, member, std::move(event));
}

// To one of its listeners.
void ChannelBook::tell_new_url(Step &step, const Member &listener, Uid speaker,
                               const Subscription &subscription) {
  const Voice *voice = find_voice(*listener.channel, speaker);
  protocol::Event event{EventKind::update_url, speaker};
  event.talk = listener.knows_talk && voice && !voice->to.empty();
  event.url = play_url(listener, subscription);
  if (listener.knows_codecs)
    event.codec = subscription.codec;
  tell(step, listener, std::move(event));
}

}  // namespace agora::gateway
