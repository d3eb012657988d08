// SPDX-License-Identifier: LGPL-2.1-or-later
// Members of this gateway and their streams, until they go or another gateway has them.
#include <utility>

#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/gateway/cluster/mutants.hpp"

namespace agora::gateway::cluster {

void Cluster::release(const std::string &key, Uid uid, MemberId mid, Moment now) {
  now_ = now;
  Channel *channel = find(key);
  if (!find_local(channel, uid, mid))
    return;
  channel->locals.erase(uid);
  if (up_) {
    Pending asked;
    asked.channel = channel->id;
    asked.text = key;
    send(cluster::release(key, uid, settings_.gateway, mid), std::move(asked));
  }
  close_if_empty(*channel);
}

void Cluster::describe(const std::string &key, Uid uid, MemberId mid, const MemberRecord &who,
                       Moment now, bool paced) {
  now_ = now;
  Channel *channel = find(key);
  Local *local = find_local(channel, uid, mid);
  if (!local)
    return;
  MemberRecord fresh = who;
  fresh.gateway = settings_.gateway;
  fresh.mid = mid;
  fresh.at_ms = local->who.at_ms;
  if (fresh == local->who)
    return;
  local->who = std::move(fresh);
  if (!up_)
    return;
  if (!paced)
    return assert_local(*channel, uid, *local);
  to_assert_.emplace_back(channel->id, uid);
  pace();
}

void Cluster::speak(const std::string &key, Uid uid, MemberId mid, const Spoken &what, Moment now) {
  now_ = now;
  CodecStreams others = what.streams;
  const std::string stream = others.extract(protocol::Codec::aac).mapped();
  Channel *channel = find(key);
  Local *local = find_local(channel, uid, mid);
  if (!local || stream.empty())
    return;
  if (local->stream != stream) {
    local->stream = stream;
    local->stream_at_ms = local->who.at_ms;
    local->stream_n = ++local->streams;
  }
  local->others = std::move(others);
  local->to = what.to;
  local->name = what.name;
  local->audio_muted = what.audio_muted;
  local->video_muted = what.video_muted;
  local->spoke_again = false;
  // What it said elsewhere before goes on here.
  channel->remote.erase(uid);
  channel->doubts.erase(uid);
  if (up_)
    send_speak(*channel, uid, *local);
}

void Cluster::hush(const std::string &key, Uid uid, MemberId mid, const std::string &stream,
                   Moment now) {
  now_ = now;
  Channel *channel = find(key);
  Local *local = find_local(channel, uid, mid);
  if (!local || local->stream != stream || stream.empty())
    return;
  local->stream.clear();
  if (!up_)
    return;
  Pending asked;
  asked.channel = channel->id;
  send(cluster::hush(key, uid, stream), std::move(asked));
}

void Cluster::say(const std::string &key, Uid uid, MemberId mid, const protocol::Data &data,
                  Moment now) {
  now_ = now;
  if (up_ && find_local(find(key), uid, mid))
    send(cluster::say(key, uid, mid, {settings_.gateway, uid, data}), {});
}

void Cluster::follow(const std::string &key, bool on, Moment now) {
  now_ = now;
  if (on && followed_.insert(key).second)
    host_.watch(members_topic(key));
  if (!on && followed_.erase(key) > 0)
    host_.unwatch(members_topic(key));
}

void Cluster::heard_member(const std::string &key, std::string_view text) {
  if (!followed_.contains(key))
    return;
  const auto message = read_member_message(text);
  if (!message)
    return odd("message about a member", text);
  if (message->gateway == settings_.gateway)
    return;
  if (message->who)
    host_.member_set(key, message->uid, *message->who);
  else
    host_.member_gone(key, message->uid);
}

Ticket Cluster::query(Operation operation, Moment now) {
  now_ = now;
  Pending asked;
  asked.query = true;
  return send(std::move(operation), std::move(asked));
}

void Cluster::send_speak(Channel &channel, Uid uid, const Local &local) {
  SpeakerEntry entry;
  entry.gateway = settings_.gateway;
  entry.stream = local.stream;
  entry.at_ms = local.stream_at_ms;
  entry.n = local.stream_n;
  entry.origin = settings_.origin;
  entry.audio_muted = local.audio_muted;
  entry.video_muted = local.video_muted;
  entry.others = local.others;
  entry.to = local.to;
  entry.name = local.name;
  Pending asked;
  asked.channel = channel.id;
  asked.uid = uid;
  asked.mid = local.who.mid;
  asked.text = local.stream;
  send(cluster::speak(channel.key, uid, local.who.mid, entry), std::move(asked));
}

void Cluster::speak_answered(const Pending &asked, const Answer &answer) {
  Channel *channel = find(asked.channel);
  Local *local = find_local(channel, asked.uid, asked.mid);
  if (!local || local->stream != asked.text)
    return;
  if (answer.verdict == Verdict::ok)
    local->spoke_again = false;
  // The store doesn't know the member. It is told once: then it knows, or has a newer one.
  if (answer.verdict == Verdict::lost && !std::exchange(local->spoke_again, true))
    assert_local(*channel, asked.uid, *local);
}

// Tells the store what is here, with the stream if there is one.
void Cluster::assert_local(Channel &channel, Uid uid, const Local &local, bool paced) {
  if (local.orphan || !up_)
    return;
  Pending asked;
  asked.channel = channel.id;
  asked.uid = uid;
  asked.mid = local.who.mid;
  asked.at_ms = local.who.at_ms;
  asked.paced = paced;
  const bool speaks = !local.stream.empty();
  send(cluster::assert_member(channel.key, uid, local.who, speaks), std::move(asked));
  if (speaks)
    send_speak(channel, uid, local);
}

void Cluster::assert_answered(const Pending &asked, const Answer &answer) {
  if (asked.paced) {
    asserting_--;
    pace();
  }
  Channel *channel = find(asked.channel);
  const Local *local = find_local(channel, asked.uid, asked.mid);
  // Claimed anew since: that will be answered, too.
  // Asked while it was here, and it has gone since: what was told is to be taken back.
  if (!local && answer.verdict == Verdict::ok && up_)
    deadlines_.set({Deadline::Kind::purge, 0, 0}, now_.mono_ms + settings_.times.renew_ms);
  // Who has it may speak already: what is here goes on until that is known.
  if (local && local->who.at_ms == asked.at_ms && answer.verdict == Verdict::lost)
    lose(*channel, asked.uid, true, !local->stream.empty());
}

// Another gateway has it. `goes_on`: its stream there comes in the place of the one here.
// `adopted`: it is the same member.
void Cluster::lose(Channel &channel, Uid uid, bool goes_on, bool adopted) {
  Local &local = channel.locals.at(uid);
  const MemberId mid = local.who.mid;
  const bool spoke = !local.stream.empty();
  local.orphan = spoke && goes_on;
  if (local.orphan)
    deadlines_.set({Deadline::Kind::orphan, channel.id, uid},
                   now_.mono_ms + settings_.times.orphan_ms);
  else
    channel.locals.erase(uid);
  host_.taken(channel.key, uid, mid, adopted);
  // What was under its own entry may have been another's.
  if (spoke && !mutated(Mutant::no_snapshot_after_loss)) {
    channel.snap_again = channel.snapping;
    snapshot(channel);
  }
  close_if_empty(channel);
}

void Cluster::end_orphan(Channel &channel, Uid uid) {
  const auto found = channel.locals.find(uid);
  if (found == channel.locals.end() || !found->second.orphan)
    return;
  deadlines_.cancel({Deadline::Kind::orphan, channel.id, uid});
  const MemberId mid = found->second.who.mid;
  channel.locals.erase(found);
  host_.orphan_over(channel.key, uid, mid);
}

}  // namespace agora::gateway::cluster
