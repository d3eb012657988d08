// SPDX-License-Identifier: LGPL-2.1-or-later
// A uid is claimed: by the store, or while that is away by this gateway alone.
#include <algorithm>
#include <utility>

#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/gateway/cluster/mutants.hpp"

namespace agora::gateway::cluster {

namespace {

// A claim is sent anew when its rules or candidates were not the store's any more: so many bans
// may come in between.
constexpr unsigned max_tries = 100;

}  // namespace

void Cluster::claim(JoinId id, const ClaimRequest &request, Moment now) {
  now_ = now;
  if (joins_.contains(id))
    return;
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
  if (channel.remote.contains(uid))
    watch_stray(channel, uid);
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

}  // namespace agora::gateway::cluster
