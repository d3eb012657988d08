// SPDX-License-Identifier: LGPL-2.1-or-later
// What the machine makes of what the gateway says.
#include <algorithm>
#include <utility>

#include "signaling/client/machine.hpp"
#include "signaling/client/requests.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::client {

using protocol::Code;
using protocol::EventKind;
using protocol::Role;

void Machine::answered(const protocol::Answer &answer, Millis now) {
  auto found = pending_.find(answer.request_id);
  if (found == pending_.end()) {
    act(Note{false, "an answer to request " + std::to_string(answer.request_id) +
                        ", which waits for none"});
    return;
  }
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (std::holds_alternative<protocol::Join>(pending.request)) {
    join_answered(pending, answer, now);
  } else if (std::holds_alternative<protocol::Leave>(pending.request)) {
    left();
  } else if (answer.code == Code::ok) {
    succeeded(pending, answer, now);
  } else {
    Trouble trouble = trouble_of(answer.code, answer.reason, client::name_of(pending.request));
    refused(pending, trouble, now);
    if (answer.code == Code::service_lost)
      lost(std::move(trouble), now);
  }
}

void Machine::join_answered(const Pending &, const protocol::Answer &answer, Millis now) {
  bool again = phase_ == Phase::rejoining;
  std::string what = "join";
  if (answer.code == Code::app_invalid)
    what = "app id " + protocol::quoted(app_id_);
  Trouble trouble = trouble_of(answer.code, answer.reason, what);
  if (answer.code == Code::ok && answer.uid.value_or(0) == 0)
    trouble = {AGORA_ERROR_INTERNAL, "join: the gateway's answer has no uid"};
  if (answer.code != Code::ok || answer.uid.value_or(0) == 0) {
    if (again)
      retry_later(std::move(trouble), now);
    else
      join_failed(std::move(trouble), now);
    return;
  }
  const bool told = is_retrying();  // that it is trying again
  phase_ = Phase::joined;
  uid_ = *answer.uid;
  if (uid_type_ == 0)
    uid_text_ = std::to_string(uid_);
  ping_later(now);
  // A gateway that knows no silence has none: of one that does, the word follows.
  const auto knows = [&] (const char *feature) {
    return answer.features && std::find(answer.features->begin(), answer.features->end(),
                                        feature) != answer.features->end();
  };
  takes_reports_ = knows(protocol::feature_quality);
  knows_talk_ = knows(protocol::feature_talk);
  reconnects_ += again ? 1 : 0;
  if (!knows(protocol::feature_silence) && std::exchange(silenced_, false))
    act(Emit{{EventKind::unsilenced, 0, {}, 0, false}});
  if (!again)
    act(Finish{std::exchange(join_ticket_, 0), std::nullopt, uid_, {}, 0});
  if (told)
    act(EmitReconnected{now - lost_at_});
  if (again) {
    for (const auto &[uid, name] : names_)
      unconfirmed_.insert(uid);
    replay(now);
  }
  for (const protocol::Event &event : std::exchange(early_, {}))
    happened(event, now);
  // Its answer comes after all that a rejoin is told, so that no doubt stays.
  if (again && !muted_.empty())
    ping(now);
}

std::optional<protocol::Codec> Machine::codec_of(Uid speaker) const {
  const auto found = subscriptions_.find(speaker);
  return found == subscriptions_.end() ? std::nullopt : std::optional(found->second.codec);
}

// A gateway that knows nothing of it would let all hear what is meant for a few.
bool Machine::may_address(const protocol::Publish &publish) const {
  return publish.to.empty() || knows_talk_;
}

// Whether the application has asked for it, and the gateway hasn't answered yet.
bool Machine::is_publishing() const {
  return std::any_of(pending_.begin(), pending_.end(), [] (const auto &each) {
    return !each.second.replay && std::holds_alternative<protocol::Publish>(each.second.request);
  });
}

// What was published, as it was. Not behind what the application asks for meanwhile: what it has
// just made private would be for all again.
void Machine::publish_again(Millis now) {
  protocol::Publish publish{uid_, offered_, to_};
  if (is_publishing()) {
    again_.push_back({std::move(publish), now + limits.first_retry});
    return;
  }
  if (may_address(publish)) {
    send(0, std::move(publish), now, true);
    return;
  }
  unpublished();
  act(EmitError{no_talk()});
}

void Machine::note_talk(Uid speaker, bool talk) {
  if (talk)
    talkbacks_.insert(speaker);
  else
    talkbacks_.erase(speaker);
}

// By publish, or update_url. A gateway that knows no codecs takes AAC alone.
void Machine::published(const protocol::Answer &answer, bool replay) {
  Urls urls(answer.urls.begin(), answer.urls.end());
  const std::string url = answer.url.value_or("");
  urls[protocol::Codec::aac] = url;
  const bool moved = urls != push_urls_;
  // Which of these are wanted is told anew. Until then it is what it was, if it can be.
  const auto same_codec = [] (const auto &one, const auto &other) {
    return one.first == other.first;
  };
  if (urls.size() == 1 ||
      !std::equal(urls.begin(), urls.end(), push_urls_.begin(), push_urls_.end(), same_codec))
    codecs_wanted_.clear();
  push_urls_ = std::move(urls);
  if (replay && moved)
    act(Emit{{EventKind::update_url, uid_, url, 0, false}});
}

void Machine::unpublished() {
  published_ = false;
  offered_.reset();
  to_.clear();
  push_urls_.clear();
  codecs_wanted_.clear();
}

// What the application was told of a speaker's mutes.
void Machine::note_mute(const protocol::Event &event) {
  if (!speakers_.contains(event.uid))
    return;
  Mutes &mutes = muted_[event.uid];
  (event.kind == EventKind::audio_mute ? mutes.audio : mutes.video) = event.mute;
  if (!mutes.any())
    muted_.erase(event.uid);
}

// Whether this confirms a mute that the application knows of.
bool Machine::is_told_again(const protocol::Event &event) {
  if (!doubt_ || doubt_->uid != event.uid)
    return false;
  Mutes &mutes = doubt_->mutes;
  const bool known =
      std::exchange(event.kind == EventKind::audio_mute ? mutes.audio : mutes.video, false);
  return known && event.mute;
}

// The mutes that weren't confirmed ended while the client was away.
void Machine::end_doubt() {
  const std::optional<Doubt> doubt = std::exchange(doubt_, std::nullopt);
  if (!doubt)
    return;
  for (const EventKind kind : {EventKind::audio_mute, EventKind::video_mute}) {
    if (!(kind == EventKind::audio_mute ? doubt->mutes.audio : doubt->mutes.video))
      continue;
    const protocol::Event event{kind, doubt->uid, {}, 0, false};
    note_mute(event);
    act(Emit{event});
  }
}

void Machine::happened(const protocol::Event &event, Millis now) {
  if (phase_ == Phase::joining || phase_ == Phase::rejoining) {
    early_.push_back(event);
    return;
  }
  if (phase_ != Phase::joined)
    return;
  const bool is_mute = event.kind == EventKind::audio_mute || event.kind == EventKind::video_mute;
  if (doubt_ && !(is_mute && event.uid == doubt_->uid))
    end_doubt();
  switch (event.kind) {
    case EventKind::stream_added:
      unheard_of_.erase(event.uid);
      if (event.uid == uid_)
        return;
      note_talk(event.uid, event.talk);
      if (unconfirmed_.contains(event.uid))
        note_name(event.uid, {});
      if (!speakers_.insert(event.uid).second) {
        if (const auto found = muted_.find(event.uid); found != muted_.end())
          doubt_ = Doubt{event.uid, found->second};
        return;
      }
      break;
    case EventKind::stream_removed: {
      bool was_asked_for = unheard_of_.erase(event.uid) != 0;
      bool was_there = speakers_.erase(event.uid) != 0;
      subscriptions_.erase(event.uid);
      muted_.erase(event.uid);
      talkbacks_.erase(event.uid);
      names_.erase(event.uid);
      unconfirmed_.erase(event.uid);
      if (!was_asked_for && !was_there)
        return;
      break;
    }
    case EventKind::update_url:
      if (event.uid == uid_) {
        push_urls_ = {{protocol::Codec::aac, event.url}};
      } else if (auto found = subscriptions_.find(event.uid); found != subscriptions_.end()) {
        found->second.url = event.url;
        found->second.codec = event.codec.value_or(protocol::Codec::aac);
        note_talk(event.uid, event.talk);
      }
      break;
    case EventKind::audio_mute:
    case EventKind::video_mute:
      if (is_told_again(event))
        return;
      note_mute(event);
      break;
    case EventKind::video_rotation:
    case EventKind::key_will_expire:
    case EventKind::data:
      break;
    case EventKind::silenced:
    case EventKind::unsilenced: {
      const bool silenced = event.kind == EventKind::silenced;
      if (std::exchange(silenced_, silenced) == silenced)
        return;
      act(Emit{event});
      // Back on the air by itself: the new URL comes as of a stream that has moved.
      if (!silenced && published_)
        publish_again(now);
      return;
    }
    case EventKind::members_hidden:
      if (lists_)
        unlisted();
      return;
    // All who want it are told at once: not all of them ask at once.
    case EventKind::members_shown:
      if (wants_list_ && !lists_ && !is_asking_for_list())
        again_.push_back({protocol::Members{}, now + spread(limits.first_retry)});
      return;
    case EventKind::member_named:
      note_name(event.uid, event.text);
      return;
    case EventKind::member_joined:
    case EventKind::member_left:
      if (!note_member(event))
        return;
      break;
    case EventKind::codecs_wanted:
      if (event.codecs.empty())
        return;
      codecs_wanted_ = event.codecs;
      break;
    case EventKind::key_expired:
      act(Emit{event});
      fail({AGORA_ERROR_TOKEN_EXPIRED, "the token has expired: join again with another one"});
      return;
    case EventKind::banned:
      act(Emit{event});
      fail({AGORA_ERROR_BANNED, "the operator of the channel has removed this member"});
      return;
  }
  act(Emit{event});
}

std::string Machine::name_of(Uid uid) const {
  for (const auto *names : {&names_, &members_})
    if (const auto found = names->find(uid); found != names->end())
      return found->second;
  return {};
}

// What the application doesn't know yet is told.
void Machine::note_name(Uid uid, const std::string &name) {
  unconfirmed_.erase(uid);
  const auto known = names_.find(uid);
  if ((known == names_.end() ? std::string() : known->second) == name)
    return;
  if (name.empty())
    names_.erase(uid);
  else
    names_[uid] = name;
  protocol::Event named{EventKind::member_named, uid, {}, 0, false};
  named.text = name;
  act(Emit{std::move(named)});
}

// Whether the application doesn't know it yet: what an answer had may be told once more.
bool Machine::note_member(const protocol::Event &event) {
  if (!lists_ || event.uid == uid_)
    return false;
  if (event.kind == EventKind::member_left)
    return members_.erase(event.uid) > 0;
  const auto known = members_.find(event.uid);
  if (known != members_.end() ? known->second == event.text
                              : members_.size() >= protocol::max_listed)
    return false;
  members_[event.uid] = event.text;
  return true;
}

bool Machine::is_asking_for_list() const {
  const auto is_that = [] (const protocol::Request &request) {
    return std::holds_alternative<protocol::Members>(request);
  };
  return std::any_of(pending_.begin(), pending_.end(),
                     [&] (const auto &each) { return is_that(each.second.request); }) ||
         std::any_of(again_.begin(), again_.end(),
                     [&] (const Again &each) { return is_that(each.request); });
}

// The first list is the answer to whoever asked. Of any later one, whoever asked for it, and of one
// for which the machine itself did, the application is told what has changed: what was still to be
// told of is in it, and won't be.
void Machine::listed(const protocol::MemberList &list, bool replay) {
  std::map<Uid, std::string> members;
  for (const protocol::ListedMember &member : list.members)
    if (member.uid != uid_)
      members[member.uid] = member.name;
  const auto before = std::exchange(members_, std::move(members));
  list_tries_ = 0;
  if (!std::exchange(lists_, true) && !replay)
    return;
  for (const auto &[uid, name] : before)
    if (!members_.contains(uid))
      act(Emit{{EventKind::member_left, uid, {}, 0, false}});
  for (const auto &[uid, name] : members_)
    if (const auto known = before.find(uid); known == before.end() || known->second != name) {
      protocol::Event joined{EventKind::member_joined, uid, {}, 0, false};
      joined.text = name;
      act(Emit{std::move(joined)});
    }
}

// The gateway doesn't say any more who is there: nobody is kept of whom it won't tell that it left.
void Machine::unlisted() {
  lists_ = false;
  for (const auto &[uid, name] : std::exchange(members_, {}))
    act(Emit{{EventKind::member_left, uid, {}, 0, false}});
}

void Machine::told_error(const protocol::ErrorEvent &event, Millis now) {
  if (phase_ != Phase::joining && phase_ != Phase::joined && phase_ != Phase::rejoining)
    return;
  Trouble trouble = trouble_of(event.code, event.reason, "the gateway");
  if (is_final(trouble.code)) {
    fail(std::move(trouble));
    return;
  }
  if (event.code >= Code::internal && event.code <= Code::drain) {
    lost(std::move(trouble), now);
    return;
  }
  act(EmitError{std::move(trouble)});
}

void Machine::succeeded(const Pending &pending, const protocol::Answer &answer, Millis now) {
  if (needs_url(pending.request) && answer.url.value_or("").empty()) {
    refused(pending,
            {AGORA_ERROR_INTERNAL,
             std::string(client::name_of(pending.request)) + ": the gateway's answer has no url"},
            now);
    return;
  }
  std::string url = answer.url.value_or("");
  if (const auto *set_role = std::get_if<protocol::SetRole>(&pending.request)) {
    role_ = set_role->role;
    if (role_ != Role::broadcaster)
      unpublished();
    if (answer.update_url)
      act(Emit{{EventKind::update_url, uid_, *answer.update_url, 0, false}});
  } else if (const auto *publish = std::get_if<protocol::Publish>(&pending.request)) {
    published_ = true;
    offered_ = publish->codecs;
    to_ = publish->to;
    // It stands for what was to be made again.
    std::erase_if(again_, [] (const Again &again) {
      return std::holds_alternative<protocol::Publish>(again.request);
    });
    published(answer, pending.replay);
  } else if (std::holds_alternative<protocol::Unpublish>(pending.request)) {
    unpublished();
  } else if (std::holds_alternative<protocol::UpdateUrl>(pending.request)) {
    published(answer, false);
  } else if (const auto *subscribe = std::get_if<protocol::Subscribe>(&pending.request)) {
    Subscription &subscription = subscriptions_[subscribe->uid];
    subscription.request = *subscribe;
    subscription.codec = answer.codec.value_or(protocol::Codec::aac);
    note_talk(subscribe->uid, answer.talk);
    if (const bool moved = std::exchange(subscription.url, url) != url; moved && pending.replay)
      act(Emit{{EventKind::update_url, subscribe->uid, url, 0, false}});
  } else if (const auto *unsubscribe = std::get_if<protocol::Unsubscribe>(&pending.request)) {
    for (Uid uid : unsubscribe->uids)
      subscriptions_.erase(uid);
  } else if (const auto *mute = std::get_if<protocol::Mute>(&pending.request)) {
    if (auto found = subscriptions_.find(mute->uid); found != subscriptions_.end())
      set_muted(mute->target, mute->mute, found->second.audio_muted, found->second.video_muted);
  } else if (const auto *local = std::get_if<protocol::MuteLocal>(&pending.request)) {
    set_muted(local->target, local->mute, local_audio_muted_, local_video_muted_);
  } else if (const auto *type = std::get_if<protocol::SetRemoteStreamType>(&pending.request)) {
    if (auto found = subscriptions_.find(type->uid); found != subscriptions_.end())
      found->second.stream_type = type->type;
  } else if (const auto *key = std::get_if<protocol::UpdateKey>(&pending.request)) {
    token_ = key->token;
  } else if (std::holds_alternative<protocol::Members>(pending.request)) {
    listed(answer.list.value_or(protocol::MemberList{}), pending.replay);
  }
  if (pending.ticket != 0)
    act(Finish{pending.ticket, std::nullopt, uid_, url, answer.rotation.value_or(0), push_urls_,
               answer.list ? answer.list->more : 0});
}

void Machine::refused(const Pending &pending, Trouble trouble, Millis now) {
  const bool list = std::holds_alternative<protocol::Members>(pending.request);
  if (!pending.replay) {
    if (list &&
        (trouble.code == AGORA_ERROR_NOT_PERMITTED || trouble.code == AGORA_ERROR_BAD_REQUEST))
      unlisted();
    if (trouble.code == AGORA_ERROR_TIMEOUT)
      unanswered(pending);
    finish(pending.ticket, std::move(trouble));
    return;
  }
  // What the member had is what it is to have again: a gateway that is slow or busy for a moment
  // takes nothing of it.
  if (trouble.code == AGORA_ERROR_TIMEOUT || trouble.code == AGORA_ERROR_TOO_MANY ||
      (list && trouble.code == AGORA_ERROR_SERVICE_LOST)) {
    const Millis pause = list ? list_pause() : limits.first_retry;
    act(Note{true, "another try in " + std::to_string(pause) + " ms: " + trouble.text});
    again_.push_back({pending.request, now + pause});
    return;
  }
  // Nobody asked: tell by the means that the application has for it.
  if (const auto *subscribe = std::get_if<protocol::Subscribe>(&pending.request)) {
    if (trouble.code == AGORA_ERROR_NOT_PUBLISHING) {
      happened({EventKind::stream_removed, subscribe->uid, {}, 0, false}, now);
      return;
    }
    subscriptions_.erase(subscribe->uid);
  } else if (list) {
    // It was told so before, and asks at each return: that is no news.
    if (!lists_)
      return act(Note{false, trouble.text});
    unlisted();
  } else if (std::holds_alternative<protocol::Publish>(pending.request)) {
    // A silenced member's publication waits for the end of that.
    if (silenced_ && trouble.code == AGORA_ERROR_NOT_PERMITTED)
      return;
    unpublished();
  }
  act(EmitError{std::move(trouble)});
}

// A gateway gives few lists of a crowd at a time.
Millis Machine::list_pause() {
  const Millis pause =
      std::min(limits.first_retry << std::min(list_tries_++, 5U), limits.busy_retry);
  return pause - spread(pause / 2);
}

// Whether the member is still to have what was to be made again.
bool Machine::is_wanted(const protocol::Request &request) const {
  const auto subscribed = [this] (Uid uid) {
    const auto found = subscriptions_.find(uid);
    return found == subscriptions_.end() ? nullptr : &found->second;
  };
  if (std::holds_alternative<protocol::Publish>(request))
    return published_ && !silenced_;
  if (std::holds_alternative<protocol::Members>(request))
    return wants_list_;
  if (const auto *local = std::get_if<protocol::MuteLocal>(&request))
    return local->target == protocol::Target::audio ? local_audio_muted_ : local_video_muted_;
  if (const auto *subscribe = std::get_if<protocol::Subscribe>(&request))
    return subscribed(subscribe->uid) != nullptr;
  if (const auto *mute = std::get_if<protocol::Mute>(&request)) {
    const Subscription *of = subscribed(mute->uid);
    return of && (mute->target == protocol::Target::audio ? of->audio_muted : of->video_muted);
  }
  if (const auto *type = std::get_if<protocol::SetRemoteStreamType>(&request)) {
    const Subscription *of = subscribed(type->uid);
    return of && of->stream_type == type->type;
  }
  return false;
}

// As it is by now: another list may have been published since.
void Machine::make_again(protocol::Request request, Millis now) {
  if (std::holds_alternative<protocol::Publish>(request))
    publish_again(now);
  else
    send(0, std::move(request), now, true);
}

// Makes again what the member had before it lost the gateway.
void Machine::replay(Millis now) {
  if (published_ && !silenced_)
    publish_again(now);
  if (local_audio_muted_)
    send(0, protocol::MuteLocal{uid_, protocol::Target::audio, true}, now, true);
  if (local_video_muted_)
    send(0, protocol::MuteLocal{uid_, protocol::Target::video, true}, now, true);
  if (wants_list_)
    send(0, protocol::Members{}, now, true);
  for (const auto &[uid, subscription] : subscriptions_) {
    send(0, subscription.request, now, true);
    if (subscription.audio_muted)
      send(0, protocol::Mute{uid, protocol::Target::audio, true}, now, true);
    if (subscription.video_muted)
      send(0, protocol::Mute{uid, protocol::Target::video, true}, now, true);
    if (subscription.stream_type != 0)
      send(0, protocol::SetRemoteStreamType{uid, subscription.stream_type}, now, true);
  }
}

}  // namespace agora::client
