// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/cluster/cluster.hpp"

#include <algorithm>
#include <utility>

#include "signaling/gateway/cluster/mutants.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway::cluster {

namespace {

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
  return shared_ms(now_);
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
    case OperationKind::hush:
    case OperationKind::release:
      // What was under this gateway's own entry may be another's.
      if (Channel *channel = find(asked.channel); channel && answer.verdict == Verdict::lost)
        snapshot(*channel);
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
      return purge_answered(asked, answer);
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
  if (topic.starts_with(members_prefix))
    return heard_member(std::string(topic.substr(members_prefix.size())), message);
  constexpr std::string_view prefix = "ag:";
  Channel *channel = topic.starts_with(prefix) ? find(topic.substr(prefix.size())) : nullptr;
  if (!channel)
    return;
  if (const auto said = read_said_message(message)) {
    if (said->gateway != settings_.gateway)
      host_.said(channel->key, said->uid, said->data);
    return;
  }
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
      case Deadline::Kind::stray:
        if (channel)
          end_stray(*channel, due->uid);
        break;
    }
  }
}

}  // namespace agora::gateway::cluster
