// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unordered_set>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

namespace {

// Between a hook's answer and the media server's statistics.
constexpr std::int64_t settle_ms = 2'000;

HookOwner owner_of (const StreamKey &key) {
  return {key.app_id, key.channel, key.uid, key.id};
}

HookOwner owner_of (const Member &member) {
  return {member.channel->app_id, member.channel->name, member.uid, 0};
}

}  // namespace

HookAnswer ChannelBook::on_publish(const HookRequest &request, Now now) {
  Step step{now, {}};
  std::string stream;
  StreamKey *key = request.app == config_.rtmp_app && request.args.empty()
                       ? keys_.find(request.stream)
                       : nullptr;
  HookOwner owner = key ? owner_of(*key) : HookOwner();
  std::string refusal =
      key ? admit_encoder(step, request, *key, stream) : admit_push(step, request, owner);
  const bool allow = refusal.empty();
  return {allow, std::move(refusal), finish(step), {}, std::move(stream), std::move(owner)};
}

HookAnswer ChannelBook::on_play(const HookRequest &request, Now now) {
  Step step{now, {}};
  std::string relay_from;
  std::string stream;
  StreamKey *key =
      (request.app == config_.rtmp_app || request.app == mix_app) && request.args.empty()
          ? keys_.find(request.stream, KeyUse::play)
          : nullptr;
  HookOwner owner = key ? owner_of(*key) : HookOwner();
  std::string refusal = key ? admit_player(step, request, *key, stream)
                            : admit_play(step, request, relay_from, owner);
  const bool allow = refusal.empty();
  return {
      allow,           std::move(refusal), finish(step), std::move(relay_from), std::move(stream),
      std::move(owner)};
}

Commands ChannelBook::on_publish_done(const HookRequest &request, Now now) {
  Step step{now, {}};
  push_ended(step, request.client_id);
  return finish(step);
}

Commands ChannelBook::on_play_done(const HookRequest &request, Now now) {
  Step step{now, {}};
  play_ended(step, request.client_id);
  return finish(step);
}

// A URL must pass twice: it is one that this gateway signed, and what it was signed for still
// holds. on_publish comes before the media server has accepted the name, and refuses the name while
// an older session has it: that one is dropped first.
std::string ChannelBook::admit_push(Step &step, const HookRequest &request, HookOwner &owner) {
  const auto args = parse_url_args(request.args);
  if (request.app != config_.rtmp_app || !args ||
      !signer_.verify(Direction::push, request.stream, *args))
    return "neither a push URL nor a stream key of this gateway: mistyped, or ended";
  if (Feed *feed = feeds_.of_stream(request.stream))
    return admit_feed(step, request, *feed, owner);
  if (args->expires_at <= step.now.wall_s)
    return "the push URL has expired";
  const auto named = streams_.find(request.stream);
  Member *speaker = named == streams_.end() ? nullptr : member(named->second.owner);
  if (!speaker || speaker->id != args->member || speaker->orphan)
    return "the push URL is no longer good";
  owner = owner_of(*speaker);
  PublishedStream *which = speaker->live ? speaker->live->find(request.stream) : nullptr;
  if (!which && speaker->next)
    which = speaker->next->find(request.stream);
  if (!which || which->grant != args->grant)
    return "the push URL is no longer good";
  if (!may_publish(*speaker, step.now))
    return "the privilege to publish has ended";
  if (silenced(*speaker, step.now))
    return "silenced";
  const auto busy = pushing_.find(request.client_id);
  if (busy != pushing_.end() && busy->second.speaker != speaker->id)
    return "the session pushes for another member already";
  if (!speaker->pushes.take(step.now.mono_ms))
    return "pushed anew too often, try again in a few seconds";
  begin_push(step, *speaker, *which, request.client_id);
  return {};
}

// `which`: of its live offer, or of the next one, which is live from now on.
void ChannelBook::begin_push(Step &step, Member &speaker, PublishedStream &which,
                             std::uint64_t client) {
  const bool is_live = speaker.live && speaker.live->find(which.stream) == &which;
  if (which.client != client)
    drop_push(step, which);
  which.client = client;
  pushing_[client] = {speaker.id, step.now.mono_ms};
  deadlines_.cancel({Deadline::hold, speaker.id});
  if (is_live)
    return;

  forget_stream(step, speaker.previous);
  speaker.previous = std::exchange(speaker.live, std::nullopt);
  speaker.live = std::exchange(speaker.next, std::nullopt);
  if (Voice *voice = find_voice(*speaker.channel, speaker.uid)) {
    const bool was_elsewhere = voice->member != &speaker;
    const bool for_others = voice->to != speaker.live->to;
    carry(*voice, speaker);
    if (for_others) {
      readdress(step, *voice);
      if (speaker.previous)
        leave_relays(step, *speaker.previous);
    }
    move_listeners(step, *voice);
    speak(*voice);
    if (was_elsewhere)
      changed(step, *speaker.channel, speaker.uid);
  } else {
    announce(step, speaker);
  }
  // One RTMP session that pushes the new name in place of the old one must not be cut.
  if (speaker.previous)
    speaker.previous->end_push(client);
  // Nor one that still carries the sound for those who are on their way: it goes a moment later.
  // Longer where it is in another codec: a listener has to bring the two into step.
  if (speaker.previous && speaker.previous->is_pushed())
    deadlines_.set({Deadline::previous, speaker.id},
                   step.now.mono_ms + (speaker.previous->codecs() == speaker.live->codecs()
                                           ? config_.times.previous_ms
                                           : config_.times.recoded_ms));
  else
    forget_stream(step, speaker.previous);
}

std::string ChannelBook::admit_play(Step &step, const HookRequest &request, std::string &relay_from,
                                    HookOwner &owner) {
  const auto args = parse_url_args(request.args);
  if (args && cluster_ && request.app == config_.rtmp_app &&
      relay_signer_.verify(Direction::relay, request.stream, *args))
    return admit_relay(step, request, *args);
  if (request.app != config_.rtmp_app || !args ||
      !signer_.verify(Direction::play, request.stream, *args))
    return "neither a play URL nor a play key of this gateway: mistyped, or ended";
  if (args->expires_at <= step.now.wall_s)
    return "the play URL has expired";
  const auto named = streams_.find(request.stream);
  Member *listener = member(args->member);
  if (listener)
    owner = owner_of(*listener);
  if (named == streams_.end() || !listener)
    return "the play URL is no longer good";
  const Uid speaker = named->second.uid;
  const auto found = listener->subscriptions.find(speaker);
  if (found == listener->subscriptions.end() || found->second.stream != request.stream ||
      found->second.grant != args->grant)
    return "the play URL is no longer good";
  Subscription &subscription = found->second;
  const auto busy = playing_.find(request.client_id);
  if (relayed_.contains(request.client_id) || players_.find(request.client_id) ||
      (busy != playing_.end() &&
       (busy->second.listener != listener->id || busy->second.speaker != speaker)))
    return "the session plays another stream already";
  if (subscription.client != request.client_id)
    drop_play(step, subscription);
  // One RTMP session that plays the new name in place of the old one must not be cut.
  if (subscription.old_player == request.client_id)
    subscription.old_player = 0;
  subscription.client = request.client_id;
  subscription.cut = false;
  playing_[request.client_id] = {listener->id, speaker, step.now.mono_ms};
  if (named->second.owner == 0)
    relay_from =
        relay_url(request.stream, find_voice(*listener->channel, speaker)->origin, step.now);
  return {};
}

void ChannelBook::push_ended(Step &step, std::uint64_t client) {
  const auto found = pushing_.find(client);
  if (found == pushing_.end())
    return;
  Member *speaker = member(found->second.speaker);
  pushing_.erase(found);
  feeds_.push_ended(client);
  if (!speaker)
    return;
  if (speaker->previous)
    speaker->previous->end_push(client);
  if (speaker->live && speaker->live->end_push(client) && !speaker->live->is_pushed())
    hold(step, *speaker);
}

void ChannelBook::play_ended(Step &step, std::uint64_t client) {
  relay_ended(step, client);
  player_ended(step, client);
  const auto found = playing_.find(client);
  if (found == playing_.end())
    return;
  const Playing ended = found->second;
  playing_.erase(found);
  Member *listener = member(ended.listener);
  if (!listener)
    return;
  const auto subscription = listener->subscriptions.find(ended.speaker);
  if (subscription == listener->subscriptions.end())
    return;
  if (subscription->second.client == client)
    subscription->second.client = 0;
  if (subscription->second.old_player == client)
    subscription->second.old_player = 0;
  // A gateway that ends needs not wait for it.
  if (listener->orphan && is_idle(*listener))
    deadlines_.set({Deadline::orphan, listener->id}, 0);
}

Commands ChannelBook::media_sessions(const std::vector<std::uint64_t> &there, std::int64_t asked_ms,
                                     Now now) {
  Step step{now, {}};
  const std::unordered_set<std::uint64_t> alive(there.begin(), there.end());
  std::vector<std::uint64_t> pushes, plays;
  const auto lost = [&] (std::uint64_t client, std::int64_t since_ms) {
    return asked_ms - since_ms >= settle_ms && !alive.contains(client);
  };
  for (const auto &[client, session] : pushing_)
    if (lost(client, session.since_ms))
      pushes.push_back(client);
  for (const auto &[client, session] : playing_)
    if (lost(client, session.since_ms))
      plays.push_back(client);
  for (const auto &[client, relay] : relayed_)
    if (lost(client, relay.since_ms))
      plays.push_back(client);
  for (const auto &[client, player] : players_.all())
    if (lost(client, player.since_ms))
      plays.push_back(client);
  for (std::uint64_t client : pushes)
    push_ended(step, client);
  for (std::uint64_t client : plays)
    play_ended(step, client);
  return finish(step);
}

Commands ChannelBook::media_server_lost(Now now) {
  Step step{now, {}};
  for (const auto &[client, pushing] : pushing_) {
    Member *speaker = member(pushing.speaker);
    if (speaker && speaker->previous)
      speaker->previous->end_push(client);
    if (speaker && speaker->live && speaker->live->end_push(client) && !speaker->live->is_pushed())
      hold(step, *speaker);
  }
  for (const auto &[client, ended] : playing_)
    if (Member *listener = member(ended.listener))
      if (auto it = listener->subscriptions.find(ended.speaker);
          it != listener->subscriptions.end())
        it->second.client = it->second.old_player = 0;
  pushing_.clear();
  feeds_.pushes_ended();
  playing_.clear();
  const auto players = players_.all();
  for (const auto &[client, player] : players)
    player_ended(step, client);
  for (const auto &[client, relay] : relayed_)
    if (const auto named = streams_.find(relay.stream); named != streams_.end()) {
      named->second.relays.clear();
      relays_changed(step, named->second);
    }
  relayed_.clear();
  return finish(step);
}

}  // namespace agora::gateway
