// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::Codec;
using protocol::Privilege;
using protocol::Role;
using protocol::Target;

namespace {

// Whether some who may hear this member's voice now are none of these, and these all may.
bool leaves_some_out (const Member &member, const protocol::Addressees &to) {
  if (!member.live || to.empty())
    return false;
  const protocol::Addressees &was = member.live->to;
  return was.empty() || (to.size() < was.size() && std::all_of(to.begin(), to.end(), [&] (Uid uid) {
                           return std::find(was.begin(), was.end(), uid) != was.end();
                         }));
}

}  // namespace

bool ChannelBook::may_push(Step &step, const Asked &asked, const Member &member, const char *what) {
  std::string why;
  if (member.role != Role::broadcaster)
    why = "an audience member can't ";
  else if (!may_publish(member, step.now))
    why = "the token gives no privilege to ";
  else if (silenced(member, step.now))
    why = "silenced by the channel's operator: can't ";
  else
    return true;
  refuse(step, asked, Code::not_permitted, why + what);
  return false;
}

bool ChannelBook::is_own_uid(Step &step, const Asked &asked, const Member &member, Uid uid,
                             const char *what) {
  if (uid == member.uid)
    return true;
  refuse(step, asked, Code::not_joined,
         std::string(what) + ": uid " + std::to_string(uid) + " is not one's own, " +
             std::to_string(member.uid));
  return false;
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::SetRole &request) {
  if (request.role == Role::broadcaster && member.entrance == Entrance::mix)
    return refuse(step, asked, Code::not_permitted, "a mix only listens");
  if (request.role == Role::broadcaster && !may_publish(member, step.now))
    return refuse(step, asked, Code::not_permitted,
                  "the token gives no privilege to be a broadcaster");
  answer(step, asked);
  set_role(step, member, request.role);
}

// Without codecs of its own it gets AAC alone.
void ChannelBook::hand_out_push_url(Step &step, const Asked &asked, Member &member,
                                    const std::optional<protocol::Codecs> &codecs,
                                    const protocol::Addressees &to) {
  // All who listen are told of a move, each its own URL. A move that only leaves some out waits for
  // nothing: they would hear on meanwhile. There can't be many, for letting them in again is
  // counted.
  const Voice *voice = find_voice(*member.channel, member.uid);
  if (config_.limits.changes_per_second && voice && !voice->listeners.empty() &&
      !member.changes.has_one(step.now.mono_ms) && !leaves_some_out(member, to))
    return refuse(step, asked, Code::too_many,
                  "what is published has moved too often, try again in a few seconds");
  const bool negotiated = codecs && member.knows_codecs;
  make_offer(step, member, negotiated ? *codecs : protocol::Codecs{Codec::aac}, negotiated);
  member.next->to = to;
  protocol::Answer urls;
  for (const PublishedStream &each : member.next->streams) {
    std::string url = push_url(member, each, step.now);
    if (each.codec == Codec::aac)
      urls.url = url;
    if (negotiated)
      urls.urls.emplace_back(each.codec, std::move(url));
  }
  answer(step, asked, std::move(urls));
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Publish &request) {
  if (!may_push(step, asked, member, "publish") ||
      !is_own_uid(step, asked, member, request.uid, "publish"))
    return;
  // What is meant for a few must not go to all instead.
  if (!request.to.empty() && !member.knows_talk)
    return refuse(step, asked, Code::bad_request,
                  "publish: \"to\" is of the feature \"talk\", which the join didn't name");
  hand_out_push_url(step, asked, member, request.codecs, request.to);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::UpdateUrl &request) {
  if (!may_push(step, asked, member, "get a push URL") ||
      !is_own_uid(step, asked, member, request.uid, "update_url"))
    return;
  if (!member.live && !member.next)
    return refuse(step, asked, Code::bad_request, "update_url: nothing is published yet");
  const Offer &offer = member.next ? *member.next : *member.live;
  std::optional<protocol::Codecs> codecs;
  if (offer.negotiated)
    for (codecs.emplace(); const PublishedStream &each : offer.streams)
      codecs->push_back(each.codec);
  hand_out_push_url(step, asked, member, codecs, protocol::Addressees(offer.to));
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Unpublish &request) {
  // What is on the air may always be taken off, even by a token whose privilege has just ended.
  if (member.role != Role::broadcaster)
    return refuse(step, asked, Code::not_permitted, "an audience member can't unpublish");
  if (!is_own_uid(step, asked, member, request.uid, "unpublish"))
    return;
  answer(step, asked);
  unpublish(step, member);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Subscribe &request) {
  Voice *voice = find_voice(*member.channel, request.uid);
  if (!voice || !is_for(voice->to, member))
    return refuse(step, asked, Code::not_publishing,
                  "uid " + std::to_string(request.uid) + " is not publishing");
  // Asked again, the URL is a new one; who plays by the old one goes on until the new one is used.
  Subscription &subscription = member.subscriptions[request.uid];
  const Codec before = subscription.codec;
  choose_codec(step, member, *voice, subscription);
  if (!std::exchange(subscription.given, false) || subscription.codec != before)
    grant_play(subscription, step.now);
  subscription.moved = subscription.cut = false;
  protocol::Answer url;
  if (member.knows_codecs)
    url.codec = subscription.codec;
  url.talk = member.knows_talk && !voice->to.empty();
  url.url = play_url(member, subscription);
  url.rotation = 0;
  answer(step, asked, std::move(url));
  describe_soon(step, member);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Unsubscribe &request) {
  answer(step, asked);
  for (Uid uid : request.uids)
    unsubscribe(step, member, uid);
  describe_soon(step, member);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Mute &request) {
  const auto found = member.subscriptions.find(request.uid);
  if (found == member.subscriptions.end())
    return refuse(step, asked, Code::bad_order,
                  "uid " + std::to_string(request.uid) + " is not subscribed to");
  if (request.target != Target::video)
    found->second.audio_muted = request.mute;
  if (request.target != Target::audio)
    found->second.video_muted = request.mute;
  answer(step, asked);
  describe_soon(step, member);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::MuteLocal &request) {
  if (!is_own_uid(step, asked, member, request.uid, "mute_local"))
    return;
  answer(step, asked);
  if (request.target != Target::video)
    member.audio_muted = request.mute;
  if (request.target != Target::audio)
    member.video_muted = request.mute;
  carry_mutes(step, member);
  describe_soon(step, member);
}

void ChannelBook::carry_mutes(Step &step, Member &member) {
  if (Voice *voice = find_voice(*member.channel, member.uid); voice && voice->member == &member) {
    voice->audio_muted = member.audio_muted;
    voice->video_muted = member.video_muted;
  }
  changed(step, *member.channel, member.uid);
}

// Who comes back, or joins again, may have another one. As with mutes, other gateways hear of it
// when the members here do, and as often.
void ChannelBook::carry_name(Step &step, Member &member) {
  Voice *voice = find_voice(*member.channel, member.uid);
  if (!voice || voice->member != &member || voice->name == member.name)
    return;
  voice->name = member.name;
  changed(step, *member.channel, member.uid);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &,
                         const protocol::SetRemoteStreamType &) {
  answer(step, asked);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::UpdateKey &request) {
  const std::string uid = member.account.empty() ? std::to_string(member.uid) : member.account;
  std::optional<protocol::Grant> grant;
  const Claim claim{member.channel->app_id, member.channel->name, uid, !member.account.empty(),
                    request.token};
  if (auto wrong = check_token(step, claim, grant))
    return refuse(step, asked, wrong->first, std::move(wrong->second));
  answer(step, asked);
  set_grant(step, member, grant);
}

void ChannelBook::handle(Step &step, const Asked &asked, Member &member,
                         const protocol::Leave &request) {
  if (!is_own_uid(step, asked, member, request.uid, "leave"))
    return;
  answer(step, asked);
  remove(step, member, LeaveReason::normal);
}

}  // namespace agora::gateway
