// SPDX-License-Identifier: LGPL-2.1-or-later
// What is on the air at other gateways: its voices, how their sound gets here, how ours gets there,
// and what stays here for a moment of members that went there.
#include <algorithm>
#include <charconv>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

namespace {

// From a listener's hook to the relay's connection.
constexpr std::int64_t relay_url_s = 60;
constexpr std::string_view secure_relay = "rtmps://";

}  // namespace

Channel *ChannelBook::channel_of(const std::string &key) {
  const auto names = cluster::split_key(key);
  return names ? find_channel(names->first, names->second) : nullptr;
}

// All that are known, for a channel that nobody here was in.
void ChannelBook::begin_remote_voices(Step &step, Channel &channel) {
  if (!cluster_)
    return;
  const auto *speakers = cluster_->speakers(cluster::channel_key(channel.app_id, channel.name));
  if (!speakers)
    return;
  // While there was no member here, only what had gone elsewhere was played, and nothing was heard
  // of the others.
  std::vector<Uid> over;
  for (const auto &[uid, voice] : channel.voices)
    if (!voice.member && !speakers->contains(uid))
      over.push_back(uid);
  for (const Uid uid : over)
    end_remote(step, channel, uid);
  for (const auto &[uid, entry] : *speakers)
    set_remote(step, channel, uid, entry);
}

void ChannelBook::end_remote_voices(Step &step, Channel &channel) {
  for (auto each = channel.voices.begin(); each != channel.voices.end();) {
    const auto next = std::next(each);
    if (!each->second.member)
      end_remote(step, channel, each->first);
    each = next;
  }
}

void ChannelBook::forget_remote_streams(const Voice &voice) {
  for (const auto &[codec, stream] : voice.streams)
    streams_.erase(stream);
}

void ChannelBook::set_remote(Step &step, Channel &channel, Uid uid,
                             const cluster::SpeakerEntry &entry) {
  Voice *voice = find_voice(channel, uid);
  // Of one who speaks here, too, the cluster finds out who is right.
  if (voice && voice->member && !voice->member->orphan)
    return;
  CodecStreams streams = entry.others;
  streams[protocol::Codec::aac] = entry.stream;
  for (const auto &[codec, stream] : streams)
    if (const auto named = streams_.find(stream); named != streams_.end() && named->second.owner)
      return;
  const bool moves = voice && voice->streams != streams;
  if (!voice)
    voice = &add_voice(channel, uid);
  if (voice->member) {
    totals_.streams--;
    leave_behind(step, *std::exchange(voice->member, nullptr));
  } else if (moves) {
    forget_remote_streams(*voice);
  }
  for (const auto &[codec, stream] : streams)
    streams_[stream] = {0, uid, {}, &channel};
  voice->streams = std::move(streams);
  voice->origin = entry.origin;
  voice->name = entry.name;
  voice->audio_muted = entry.audio_muted;
  voice->video_muted = entry.video_muted;
  if (std::exchange(voice->to, entry.to) != entry.to)
    readdress(step, *voice);
  if (moves) {
    forget_pull(*voice);
    move_listeners(step, *voice);
  }
  changed(step, channel, uid);
}

// What an orphan still pushes goes a moment after it has come elsewhere, as with any push that
// moves.
void ChannelBook::leave_behind(Step &step, Member &orphan) {
  deadlines_.cancel({Deadline::hold, orphan.id});
  forget_stream(step, orphan.previous);
  orphan.previous = std::exchange(orphan.live, std::nullopt);
  deadlines_.set({Deadline::previous, orphan.id}, step.now.mono_ms + config_.times.previous_ms);
}

void ChannelBook::end_remote(Step &step, Channel &channel, Uid uid) {
  const Voice *voice = find_voice(channel, uid);
  if (!voice || voice->member)
    return;
  const auto gone = channel.voices.extract(uid);
  changed(step, channel, uid);
  end_voice(step, gone.mapped());
}

void ChannelBook::speaker_set(const std::string &key, Uid uid, const cluster::SpeakerEntry &entry) {
  if (Channel *channel = channel_of(key); channel && channel->open)
    set_remote(*cluster_step_, *channel, uid, entry);
}

void ChannelBook::speaker_gone(const std::string &key, Uid uid) {
  if (Channel *channel = channel_of(key))
    end_remote(*cluster_step_, *channel, uid);
}

// Members that went elsewhere. Their push goes on until the other gateway has theirs, and what they
// play until they have found it there.

void ChannelBook::make_orphan(Step &step, Member &member) {
  Channel &channel = *member.channel;
  leave_grace(member);
  stop_listing(step, member);
  for (Deadline kind : {Deadline::grace, Deadline::token, Deadline::hold})
    deadlines_.cancel({kind, member.id});
  forget_stream(step, member.next);
  member.orphan = true;
  member.silenced = false;
  orphans_++;
  channel.members.erase(member.uid);
  channel.orphans[member.uid] = &member;
  if (!member.account.empty())
    channel.accounts.erase(member.account);
  if (member.role == protocol::Role::broadcaster)
    channel.broadcasters--;
  deadlines_.set({Deadline::orphan, member.id}, step.now.mono_ms + config_.times.orphan_ms);
  changed(step, channel, member.uid);
  list_changed(step, channel, member.uid);
  if (member.entrance == Entrance::web)
    leave_web(step, channel);
  if (is_idle(member))
    return end_orphan(step, member);
  destroy_if_empty(step, channel);
}

// Nothing is played or pushed by it any more.
bool ChannelBook::is_idle(const Member &orphan) {
  return !orphan.live && !orphan.previous &&
         std::none_of(orphan.subscriptions.begin(), orphan.subscriptions.end(),
                      [] (const auto &each) {
                        return each.second.client != 0 || each.second.old_player != 0;
                      });
}

// It is back.
void ChannelBook::revive(Member &member) {
  Channel &channel = *member.channel;
  member.orphan = false;
  orphans_--;
  deadlines_.cancel({Deadline::orphan, member.id});
  channel.orphans.erase(member.uid);
  channel.members[member.uid] = &member;
  if (!member.account.empty())
    channel.accounts[member.account] = member.uid;
  if (member.role == protocol::Role::broadcaster)
    channel.broadcasters++;
  channel.web_members += member.entrance == Entrance::web ? 1 : 0;
}

// It has come here from another gateway: what it had there, it has here. It is told the URLs.
void ChannelBook::resume(Step &step, Member &member, const cluster::MemberRecord &before) {
  member.audio_muted = before.audio_muted;
  member.video_muted = before.video_muted;
  carry_mutes(step, member);
  std::set<Uid> heard;
  for (const cluster::Heard &each : before.hears) {
    Voice *voice = find_voice(*member.channel, each.uid);
    if (!voice || !is_for(voice->to, member))
      continue;
    heard.insert(each.uid);
    Subscription &subscription = member.subscriptions[each.uid];
    choose_codec(step, member, *voice, subscription);
    subscription.audio_muted = each.audio_muted;
    subscription.video_muted = each.video_muted;
    grant_play(subscription, step.now);
    subscription.moved = true;
  }
  if (before.hears.size() >= cluster::max_heard)
    return;
  std::vector<Uid> over;
  for (const auto &[uid, subscription] : member.subscriptions)
    if (!heard.contains(uid))
      over.push_back(uid);
  for (const Uid uid : over)
    unsubscribe(step, member, uid);
}

void ChannelBook::orphan_over(const std::string &key, Uid uid, MemberId mid) {
  const Channel *channel = channel_of(key);
  const auto found =
      channel ? channel->orphans.find(uid) : std::map<Uid, Member *>::const_iterator();
  if (channel && found != channel->orphans.end() && found->second->id == mid)
    unpublish(*cluster_step_, *found->second);
}

void ChannelBook::end_orphan(Step &step, Member &member) {
  Channel &channel = *member.channel;
  unpublish(step, member);
  while (!member.subscriptions.empty())
    unsubscribe(step, member, member.subscriptions.begin()->first);
  forget_stream(step, member.previous);
  for (Deadline kind : {Deadline::orphan, Deadline::hold, Deadline::previous, Deadline::wanted})
    deadlines_.cancel({kind, member.id});
  channel.orphans.erase(member.uid);
  orphans_--;
  members_.erase(member.id);
  destroy_if_empty(step, channel);
}

// Sound from gateway to gateway: the relay of the one plays what is pushed to the other's, by a URL
// that the one signs with the secret they share.

std::string ChannelBook::relay_url(const std::string &stream, const std::string &origin,
                                   Now now) const {
  std::uint64_t edge = 0;
  const std::string &name = config_.cluster->gateway;
  std::from_chars(name.data(), name.data() + name.size(), edge, 16);
  return (origin.starts_with(secure_relay) ? "" : "rtmp://") + origin + "/" + config_.rtmp_app +
         "/" + stream + "?" +
         relay_signer_.write(Direction::relay, stream, edge, random_id(config_.random),
                             shared_ms(now) / 1000 + relay_url_s);
}

// Only what is pushed here: what is relayed to here is relayed no further.
std::string ChannelBook::admit_relay(Step &step, const HookRequest &request, const UrlArgs &args) {
  if (args.expires_at <= shared_ms(step.now) / 1000)
    return "the relay's URL has expired";
  const auto named = streams_.find(request.stream);
  if (named == streams_.end() || !named->second.owner)
    return "the stream isn't pushed here";
  if (playing_.contains(request.client_id) || relayed_.contains(request.client_id))
    return "the session plays another stream already";
  named->second.relays.push_back(request.client_id);
  relayed_[request.client_id] = {request.stream, step.now.mono_ms};
  relays_changed(step, named->second);
  return {};
}

// Those who listen elsewhere want what is pulled from here.
void ChannelBook::relays_changed(Step &step, const NamedStream &named) {
  const Member *speaker = member(named.owner);
  const Voice *voice = speaker ? find_voice(*speaker->channel, named.uid) : nullptr;
  if (voice && voice->member == speaker)
    recount(step, *voice);
}

void ChannelBook::relay_ended(Step &step, std::uint64_t client) {
  const auto ended = relayed_.extract(client);
  if (ended.empty())
    return;
  if (const auto named = streams_.find(ended.mapped().stream); named != streams_.end()) {
    std::erase(named->second.relays, client);
    relays_changed(step, named->second);
  }
}

// Other gateways hear no more of it, though it may still be pushed for a while: whom they pull it
// for is theirs to know, and may not be who is meant any longer.
void ChannelBook::leave_relays(Step &step, const Offer &offer) {
  for (const PublishedStream &each : offer.streams)
    if (const auto named = streams_.extract(each.stream))
      drop_relays(step, named.key(), named.mapped());
}

void ChannelBook::drop_relays(Step &step, const std::string &stream, const NamedStream &named) {
  for (std::uint64_t client : named.relays) {
    relayed_.erase(client);
    step.out.push_back(DropMedia{stream, Direction::play, client});
  }
}

}  // namespace agora::gateway
