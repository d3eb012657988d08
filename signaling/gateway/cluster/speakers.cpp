// SPDX-License-Identifier: LGPL-2.1-or-later
// Who speaks at other gateways: a snapshot first, then each change. A change names the version
// before it, so that a lost one is noticed, and a snapshot is taken anew.
#include <algorithm>
#include <limits>
#include <utility>

#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/gateway/cluster/mutants.hpp"

namespace agora::gateway::cluster {

namespace {

// Beyond that the snapshot is taken once more.
constexpr std::size_t most_waiting_messages = 2'000;
// Of a channel, and of uids that went elsewhere while somebody joins: more is no gateway's doing.
constexpr std::size_t most_speakers = 50'000;
constexpr std::size_t most_gone = 10'000;
constexpr std::int64_t snapshot_again_ms = 1'000;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

}  // namespace

void Cluster::snapshot(Channel &channel, bool last) {
  if (channel.snapping || !up_ || !channel.watched)
    return;
  channel.snapping = true;
  channel.synced = false;
  Pending asked;
  asked.channel = channel.id;
  asked.last = last;
  send(cluster::snapshot(channel.key), std::move(asked));
}

void Cluster::snapshot_answered(const Pending &asked, const Answer &answer) {
  Channel *found = find(asked.channel);
  if (!found)
    return;
  Channel &channel = *found;
  if (asked.recheck)
    return rechecked(channel, answer);
  if (answer.verdict == Verdict::away && !up_)
    return;  // store_down() has seen to it
  channel.snapping = false;
  if (std::exchange(channel.snap_again, false) || std::exchange(channel.overflowed, false)) {
    channel.waiting_messages.clear();
    return snapshot(channel, asked.last);
  }
  const auto read = read_snapshot(answer);
  if (!read) {
    odd("answer to a snapshot", to_string(answer.verdict));
    deadlines_.set({Deadline::Kind::snapshot, channel.id, 0}, now_.mono_ms + snapshot_again_ms);
    return release_waiting(channel);
  }
  if (read->refused)
    odd("speakers of the store that are none", std::to_string(read->refused));
  channel.version = read->version;
  std::map<Uid, bool> there;
  for (const auto &[uid, entry] : read->speakers) {
    there[uid] = true;
    apply(channel, uid, entry);
  }
  std::vector<Uid> missing;
  for (const auto &[uid, entry] : channel.remote)
    if (!there.contains(uid))
      missing.push_back(uid);
  for (const Uid uid : missing)
    if (asked.last || !channel.ever_synced || mutated(Mutant::no_doubt))
      remove_speaker(channel, uid);
    else
      doubt(channel, uid);
  channel.synced = channel.ever_synced = true;
  const auto messages = std::exchange(channel.waiting_messages, {});
  for (const SpeakerMessage &message : messages)
    heard_channel(channel, message, true);
  watch_doubts(channel);
  release_waiting(channel);
  if (Channel *still = find(asked.channel))
    close_if_empty(*still);
}

// Those that waited for the channel's speakers. Last: the channel may close.
void Cluster::release_waiting(Channel &channel) {
  const auto waiting = std::exchange(channel.waiting_joins, {});
  for (const JoinId join : waiting)
    enter(join, true);
}

void Cluster::heard_channel(Channel &channel, const SpeakerMessage &message, bool again) {
  if (!channel.synced && !again) {
    if (channel.waiting_messages.size() < most_waiting_messages)
      channel.waiting_messages.push_back(message);
    else
      channel.overflowed = true;
    return;
  }
  // Known from the snapshot.
  if (message.version <= channel.version && message.previous < channel.version)
    return;
  if (message.previous != channel.version && !mutated(Mutant::no_gap_detection)) {
    counts_.gaps++;
    // The snapshot that was just taken, or is on its way, is of later than that.
    if (again && (message.version < channel.version || !channel.synced))
      return;
    if (!again)
      channel.waiting_messages.push_back(message);
    // What a store lacks that has been there for long is gone.
    return snapshot(channel, now_.mono_ms - up_since_ms_ > settings_.times.doubt_ms);
  }
  channel.version = message.version;
  if (message.entry)
    return apply(channel, message.uid, *message.entry);
  const auto local = channel.locals.find(message.uid);
  if (local != channel.locals.end() && local->second.stream == message.stream) {
    if (local->second.orphan)
      end_orphan(channel, message.uid);
    else
      assert_local(channel, message.uid, local->second);  // it is still on the air
  }
  const auto speaker = channel.remote.find(message.uid);
  if (speaker == channel.remote.end())
    return;
  if (speaker->second.stream == message.stream)
    return remove_speaker(channel, message.uid);
  // The store had another one than is known here, and has none now.
  doubt(channel, message.uid);
  watch_doubts(channel);
}

// The store's word on one speaker.
void Cluster::apply(Channel &channel, Uid uid, const SpeakerEntry &entry) {
  const auto found = channel.locals.find(uid);
  Local *local = found == channel.locals.end() ? nullptr : &found->second;
  const bool ours = entry.gateway == settings_.gateway;
  if (local && !local->orphan && !local->stream.empty()) {
    if (!ours || entry.stream != local->stream)
      assert_local(channel, uid, *local);
    return;
  }
  if (ours) {
    // One of this gateway's that it doesn't have (any more).
    if (!local || local->stream != entry.stream)
      send(cluster::hush(channel.key, uid, entry.stream), {});
    if (channel.remote.contains(uid)) {
      doubt(channel, uid);
      watch_doubts(channel);
    }
    return;
  }
  const auto known = channel.remote.find(uid);
  // A store that lost its last writes has older ones.
  if (known != channel.remote.end() && known->second.stream != entry.stream &&
      known->second.order() > entry.order() && !mutated(Mutant::entries_unordered)) {
    doubt(channel, uid);
    return watch_doubts(channel);
  }
  set_speaker(channel, uid, entry);
  if (local && local->orphan)
    end_orphan(channel, uid);
  else if (local)
    watch_stray(channel, uid);
}

// A member that came here from elsewhere may have its old stream there for a while. Whoever is to
// end that may have forgotten it.
void Cluster::watch_stray(Channel &channel, Uid uid) {
  deadlines_.set({Deadline::Kind::stray, channel.id, uid}, now_.mono_ms + settings_.times.doubt_ms);
}

void Cluster::end_stray(Channel &channel, Uid uid) {
  const auto local = channel.locals.find(uid);
  const auto remote = channel.remote.find(uid);
  if (up_ && !mutated(Mutant::stray_stays) && local != channel.locals.end() &&
      !local->second.orphan && remote != channel.remote.end())
    send(cluster::hush(channel.key, uid, remote->second.stream), {});
}

void Cluster::set_speaker(Channel &channel, Uid uid, const SpeakerEntry &entry) {
  if (channel.remote.size() >= most_speakers && !channel.remote.contains(uid))
    return odd("one speaker too many", channel.key);
  channel.doubts.erase(uid);
  const auto [known, fresh] = channel.remote.try_emplace(uid, entry);
  if (!fresh) {
    if (known->second == entry)
      return;
    known->second = entry;
  }
  host_.speaker_set(channel.key, uid, entry);
}

void Cluster::remove_speaker(Channel &channel, Uid uid) {
  channel.doubts.erase(uid);
  if (channel.remote.erase(uid))
    host_.speaker_gone(channel.key, uid);
}

// ---- doubts

void Cluster::doubt(Channel &channel, Uid uid) {
  channel.doubts.try_emplace(uid, now_.mono_ms + settings_.times.doubt_ms);
}

void Cluster::watch_doubts(Channel &channel) {
  std::int64_t next = never;
  for (const auto &[uid, at] : channel.doubts)
    next = std::min(next, at);
  const Deadline deadline{Deadline::Kind::doubt, channel.id, 0};
  if (next == never || mutated(Mutant::doubt_for_ever))
    deadlines_.cancel(deadline);
  else
    deadlines_.set(deadline, next);
}

void Cluster::recheck(Channel &channel) {
  if (!up_)
    return;
  bool any = false;
  for (auto &[uid, at] : channel.doubts)
    if (at <= now_.mono_ms) {
      at = never;
      any = true;
    }
  watch_doubts(channel);
  if (!any)
    return;
  Pending asked;
  asked.channel = channel.id;
  asked.recheck = true;
  send(cluster::snapshot(channel.key), std::move(asked));
}

void Cluster::rechecked(Channel &channel, const Answer &answer) {
  if (answer.verdict == Verdict::away && !up_)
    return;
  const auto read = read_snapshot(answer);
  if (!read)
    odd("answer to a snapshot", to_string(answer.verdict));
  std::map<Uid, const SpeakerEntry *> there;
  if (read)
    for (const auto &[uid, entry] : read->speakers)
      there[uid] = &entry;
  std::vector<Uid> due;
  for (const auto &[uid, at] : channel.doubts)
    if (at == never)
      due.push_back(uid);
  for (const Uid uid : due) {
    const auto found = there.find(uid);
    channel.doubts.erase(uid);
    if (!read)
      doubt(channel, uid);
    else if (found == there.end())
      remove_speaker(channel, uid);
    else if (found->second->gateway != settings_.gateway && channel.remote.contains(uid))
      set_speaker(channel, uid, *found->second);
  }
  watch_doubts(channel);
}

// ---- members that other gateways have now

void Cluster::heard_gone(const GoneMessage &message) {
  Channel *channel = find(message.key);
  if (!channel || message.gateway == settings_.gateway)
    return;
  // It may be about a claim whose answer is still on its way.
  if (channel->joining &&
      (channel->gone.size() < most_gone || channel->gone.contains(message.uid))) {
    std::int64_t &since = channel->gone[message.uid];
    since = std::max(since, message.at_ms);
  }
  const Local *local = find_local(channel, message.uid, message.mid);
  if (local && local->who.at_ms < message.at_ms)
    lose(*channel, message.uid, message.adopted, message.adopted);
}

}  // namespace agora::gateway::cluster
