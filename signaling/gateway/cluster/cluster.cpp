// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/cluster.hpp"

#include <algorithm>
#include <utility>

#include "signaling/gateway/cluster/mutants.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway::cluster {

namespace {

// A claim is sent anew when its rules or candidates were not the store's any more: so many bans
// may come in between.
constexpr unsigned max_tries = 100;
constexpr std::int64_t odd_every_ms = 1'000;

}  // namespace

Cluster::Cluster(ClusterSettings settings, ClusterHost &host)
    : settings_(std::move(settings)), host_(host) {
}

void Cluster::start(Moment now) {
  now_ = now;
  host_.watch(inbox_topic(settings_.gateway));
  host_.watch(std::string(rules_topic));
}

Ticket Cluster::send(Operation operation, Pending asked) {
  const Ticket ticket = ++last_id_;
  asked.kind = operation.kind;
  pending_.emplace(ticket, std::move(asked));
  counts_.operations++;
  host_.ask(ticket, std::move(operation));
  return ticket;
}

void Cluster::odd(std::string_view what, std::string_view text) {
  counts_.refused++;
  if (odd_at_ms_ > now_.mono_ms - odd_every_ms)
    return;
  odd_at_ms_ = now_.mono_ms;
  host_.odd(std::string(what) + ": " + protocol::quoted(text));
}

// The store's clock, as far as it is known: what counts while it is away must go on from there.
std::int64_t Cluster::store_now() const {
  return store_ahead_ms_ ? now_.mono_ms + *store_ahead_ms_ : now_.wall_ms;
}

Cluster::Channel *Cluster::find(std::string_view key) {
  const auto found = channels_.find(std::string(key));
  return found == channels_.end() ? nullptr : found->second.get();
}

Cluster::Channel *Cluster::find(std::uint64_t id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Cluster::Local *Cluster::find_local(Channel *channel, Uid uid, MemberId mid) {
  if (!channel)
    return nullptr;
  const auto found = channel->locals.find(uid);
  return found != channel->locals.end() && found->second.who.mid == mid && !found->second.orphan
             ? &found->second
             : nullptr;
}

Cluster::Channel &Cluster::open(const std::string &key) {
  auto &channel = channels_[key];
  if (channel)
    return *channel;
  channel = std::make_unique<Channel>();
  channel->id = ++last_id_;
  channel->key = key;
  by_id_[channel->id] = channel.get();
  host_.watch(channel_topic(key));
  return *channel;
}

void Cluster::close_if_empty(Channel &channel) {
  if (!channel.locals.empty() || channel.joining)
    return;
  host_.unwatch(channel_topic(channel.key));
  deadlines_.cancel({Deadline::Kind::doubt, channel.id, 0});
  deadlines_.cancel({Deadline::Kind::snapshot, channel.id, 0});
  by_id_.erase(channel.id);
  // The key is the channel's own.
  const std::string key = channel.key;
  channels_.erase(key);
}

const std::map<Uid, SpeakerEntry> *Cluster::speakers(const std::string &key) const {
  const auto found = channels_.find(key);
  return found == channels_.end() ? nullptr : &found->second->remote;
}

// ---- claims

void Cluster::claim(JoinId id, const ClaimRequest &request, Moment now) {
  now_ = now;
  Channel &channel = open(request.key);
  channel.joining++;
  Join join;
  join.request = request;
  join.request.who.gateway = settings_.gateway;
  join.channel = channel.id;
  join.mid = host_.random();
  joins_.insert_or_assign(id, std::move(join));
  send_claim(id);
}

void Cluster::send_claim(JoinId id) {
  Join &join = joins_.at(id);
  if (!up_)
    return claim_locally(id);
  if (++join.tries > max_tries)
    return refuse(id, Verdict::full);
  const ClaimRequest &request = join.request;
  Claim claim{request.key,           request.uid,
              request.adopt,         request.who,
              settings_.max_members, settings_.max_channels,
              rules_version_,        {}};
  claim.who.mid = join.mid;
  if (!request.uid)
    claim.candidates = host_.candidates(id);
  Pending asked;
  asked.join = id;
  send(cluster::claim(claim), std::move(asked));
}

void Cluster::claim_answered(JoinId id, const Answer &answer) {
  const auto found = joins_.find(id);
  if (found == joins_.end())
    return;
  switch (answer.verdict) {
    case Verdict::again:
      return send_claim(id);
    case Verdict::rules:
      if (!up_)
        return claim_locally(id);
      joins_awaiting_rules_.push_back(id);
      return read_rules();
    case Verdict::full:
    case Verdict::too_many_channels:
      return refuse(id, answer.verdict);
    default:
      break;
  }
  auto read = read_claim(answer);
  if (!read) {
    if (answer.verdict != Verdict::away)
      odd("answer to a claim", to_string(answer.verdict));
    return claim_locally(id);
  }
  Join &join = found->second;
  join.answer = std::move(*read);
  join.claimed = true;
  Channel &channel = *find(join.channel);
  if (channel.synced || !up_ || mutated(Mutant::claimed_before_snapshot))
    enter(id, true);
  else
    channel.waiting_joins.push_back(id);
}

// The store is away: the uid is taken as if it were this gateway's alone, and the store is told
// when it is back. Of two that did so, the newer one wins.
void Cluster::claim_locally(JoinId id) {
  Join &join = joins_.at(id);
  Channel &channel = *find(join.channel);
  const ClaimRequest &request = join.request;
  counts_.local_claims++;
  ClaimAnswer &claim = join.answer;
  claim = {};
  claim.uid = request.uid;
  if (!claim.uid && !request.who.account.empty())
    for (const auto &[uid, local] : channel.locals)
      if (local.who.account == request.who.account)
        claim.uid = uid;
  if (!claim.uid) {
    const std::vector<Uid> candidates = host_.candidates(id);
    for (const Uid uid : candidates)
      if (!claim.uid && !channel.locals.contains(uid) && !channel.remote.contains(uid))
        claim.uid = uid;
    if (!claim.uid)
      return refuse(id, Verdict::full);
  }
  claim.mid = join.mid;
  claim.at_ms = store_now();
  if (const auto older = channel.locals.find(claim.uid); older != channel.locals.end()) {
    claim.older = older->second.who;
    claim.at_ms = std::max(claim.at_ms, claim.older->at_ms + 1);
    claim.adopted = request.adopt && claim.older->account == request.who.account;
    if (claim.adopted)
      claim.mid = claim.older->mid;
  }
  enter(id, false);
}

// The member is this gateway's from here on.
void Cluster::enter(JoinId id, bool by_store) {
  Join &join = joins_.at(id);
  Channel &channel = *find(join.channel);
  const ClaimAnswer &claim = join.answer;
  const ClaimRequest &request = join.request;
  const Uid uid = claim.uid;
  const auto older = channel.locals.find(uid);
  const auto gone = channel.gone.find(uid);
  // A newer one came while this one waited.
  if ((older != channel.locals.end() && older->second.who.at_ms > claim.at_ms) ||
      (gone != channel.gone.end() && gone->second > claim.at_ms &&
       !mutated(Mutant::gone_must_not_overtake)))
    return refuse(id, Verdict::lost);

  Claimed claimed{Verdict::ok, uid, claim.mid, claim.adopted, claim.older, claim.created, by_store};
  MemberRecord who = request.who;
  who.mid = claim.mid;
  who.at_ms = claim.at_ms;
  bool tell_store = !by_store && up_;
  if (older != channel.locals.end()) {
    Local &local = older->second;
    // The store may have lost who that is, and so have made another of it.
    const bool known_here = !local.orphan && request.adopt && local.who.account == who.account;
    if (known_here || (claim.adopted && local.who.mid == claim.mid)) {
      tell_store = tell_store || local.who.mid != claim.mid;
      who.mid = claimed.mid = local.who.mid;
      claimed.adopted = true;
      if (local.orphan) {
        local.orphan = false;
        deadlines_.cancel({Deadline::Kind::orphan, channel.id, uid});
      }
      local.who = std::move(who);
    } else {
      if (local.orphan)
        end_orphan(channel, uid);
      channel.locals[uid] = Local{std::move(who), false, {}, 0, 0, false, false, 0, false};
    }
  } else {
    channel.locals[uid] = Local{std::move(who), false, {}, 0, 0, false, false, 0, false};
  }
  if (tell_store)
    assert_local(channel, uid, channel.locals[uid]);
  joined(id, channel);
  host_.claimed(id, claimed);
}

void Cluster::refuse(JoinId id, Verdict verdict) {
  Join &join = joins_.at(id);
  Channel &channel = *find(join.channel);
  Claimed claimed;
  claimed.verdict = verdict;
  claimed.uid = join.answer.uid;
  joined(id, channel);
  host_.claimed(id, claimed);
  close_if_empty(channel);
}

void Cluster::joined(JoinId id, Channel &channel) {
  joins_.erase(id);
  if (--channel.joining == 0)
    channel.gone.clear();
}

// ---- members

void Cluster::release(const std::string &key, Uid uid, MemberId mid, Moment now) {
  now_ = now;
  Channel *channel = find(key);
  if (!find_local(channel, uid, mid))
    return;
  channel->locals.erase(uid);
  if (up_) {
    Pending asked;
    asked.text = key;
    send(cluster::release(key, uid, settings_.gateway, mid), std::move(asked));
  }
  close_if_empty(*channel);
}

void Cluster::describe(const std::string &key, Uid uid, MemberId mid, const MemberRecord &who,
                       Moment now) {
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
  if (up_)
    assert_local(*channel, uid, *local);
}

void Cluster::speak(const std::string &key, Uid uid, MemberId mid, const std::string &stream,
                    bool audio_muted, bool video_muted, Moment now) {
  now_ = now;
  Channel *channel = find(key);
  Local *local = find_local(channel, uid, mid);
  if (!local || stream.empty())
    return;
  if (local->stream != stream) {
    local->stream = stream;
    local->stream_at_ms = local->who.at_ms;
    local->stream_n = ++local->streams;
  }
  local->audio_muted = audio_muted;
  local->video_muted = video_muted;
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
  if (up_)
    send(cluster::hush(key, uid, stream), {});
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
  if (local && local->who.at_ms == asked.at_ms && answer.verdict == Verdict::lost)
    lose(*channel, asked.uid, false);
}

// Another gateway has it.
void Cluster::lose(Channel &channel, Uid uid, bool adopted) {
  Local &local = channel.locals.at(uid);
  const MemberId mid = local.who.mid;
  const bool spoke = !local.stream.empty();
  if (adopted && spoke) {
    local.orphan = true;
    deadlines_.set({Deadline::Kind::orphan, channel.id, uid},
                   now_.mono_ms + settings_.times.orphan_ms);
    host_.taken(channel.key, uid, mid, true);
    return;
  }
  channel.locals.erase(uid);
  host_.taken(channel.key, uid, mid, false);
  // What was under its own entry may have been another's.
  if (spoke && !mutated(Mutant::no_snapshot_after_loss))
    snapshot(channel);
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

// ---- inputs

void Cluster::stored(Ticket ticket, const Answer &answer, Moment now) {
  now_ = now;
  const auto found = pending_.find(ticket);
  if (found == pending_.end())
    return;
  const Pending asked = std::move(found->second);
  pending_.erase(found);
  if (asked.query)
    return host_.answered(ticket, answer);
  switch (asked.kind) {
    case OperationKind::claim:
      return claim_answered(asked.join, answer);
    case OperationKind::assert_member:
      return assert_answered(asked, answer);
    case OperationKind::release:
      if (answer.verdict == Verdict::ok && !answer.values.empty() && answer.values[0] == "1" &&
          !asked.text.empty())
        host_.ended(asked.text);
      return;
    case OperationKind::speak:
      return speak_answered(asked, answer);
    case OperationKind::snapshot:
      return snapshot_answered(asked, answer);
    case OperationKind::lease:
      return leased(answer);
    case OperationKind::mine:
      return purge_answered(answer);
    case OperationKind::reap_speakers:
    case OperationKind::reap_members:
      return reap_answered(asked, answer);
    case OperationKind::rules_read:
      return rules_answered(answer);
    case OperationKind::rules_restore:
      reading_rules_ = false;
      // Whoever was first, they are there now.
      return answer.verdict == Verdict::away ? give_up_rules() : read_rules();
    default:
      return;
  }
}

void Cluster::heard(std::string_view topic, std::string_view message, Moment now) {
  now_ = now;
  if (topic == rules_topic) {
    if (const auto rule = read_rule_message(message))
      heard_rule(*rule);
    else
      odd("message about a rule", message);
    return;
  }
  if (topic == inbox_topic(settings_.gateway)) {
    if (const auto gone = read_gone_message(message))
      heard_gone(*gone);
    else
      odd("message to this gateway", message);
    return;
  }
  constexpr std::string_view prefix = "ag:";
  Channel *channel = topic.starts_with(prefix) ? find(topic.substr(prefix.size())) : nullptr;
  if (!channel)
    return;
  const auto speaker = read_speaker_message(message);
  if (!speaker)
    return odd("message about a speaker", message);
  heard_channel(*channel, *speaker, false);
  close_if_empty(*channel);
}

void Cluster::subscribed(std::string_view topic, Moment now) {
  now_ = now;
  if (topic == rules_topic)
    return read_rules();
  // Whatever is said from now on arrives; what was said before, the answers tell.
  if (topic == inbox_topic(settings_.gateway))
    return resync();
  constexpr std::string_view prefix = "ag:";
  Channel *channel = topic.starts_with(prefix) ? find(topic.substr(prefix.size())) : nullptr;
  if (!channel)
    return;
  channel->watched = true;
  channel->snap_again = channel->snapping;
  snapshot(*channel);
}

std::optional<std::int64_t> Cluster::next_deadline() const {
  return deadlines_.next();
}

void Cluster::tick(Moment now) {
  now_ = now;
  while (const auto due = deadlines_.pop(now.mono_ms)) {
    Channel *channel = find(due->channel);
    switch (due->kind) {
      case Deadline::Kind::lease:
        renew();
        break;
      case Deadline::Kind::purge:
        purge();
        break;
      case Deadline::Kind::orphan:
        if (!channel)
          break;
        if (const auto found = channel->locals.find(due->uid); found != channel->locals.end()) {
          if (mutated(Mutant::orphans_stay))
            break;
          if (up_)
            send(cluster::hush(channel->key, due->uid, found->second.stream), {});
          end_orphan(*channel, due->uid);
          close_if_empty(*channel);
        }
        break;
      case Deadline::Kind::doubt:
        if (channel)
          recheck(*channel);
        break;
      case Deadline::Kind::snapshot:
        if (channel)
          snapshot(*channel);
        break;
    }
  }
}

}  // namespace agora::gateway::cluster
