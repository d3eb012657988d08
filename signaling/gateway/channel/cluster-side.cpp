// SPDX-License-Identifier: LGPL-2.1-or-later
// This gateway as one of several: what the channel book tells the cluster of its members, and hears
// from it of their places. The cluster is called when all else of a call is done, so that what it
// asks for in return finds no half-done work.
#include <algorithm>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"

namespace agora::gateway {

using cluster::Cluster;
using cluster::Moment;
using cluster::Verdict;
using protocol::Code;
using protocol::EventKind;
using protocol::Role;

namespace {

// Uids that are offered to the store for one join, in case that some are taken.
constexpr std::size_t candidates_at_once = 8;

Moment moment_of (Now now) {
  return {now.mono_ms, now.wall_s * 1000};
}

// What others hear of a member's subscriptions and mutes may be so much older than they are.
constexpr std::int64_t describe_ms = 200;

// `shown`: members of its app may know its name.
cluster::MemberRecord record_of (const Member &member, bool shown) {
  cluster::MemberRecord record;
  record.name = shown ? member.name : std::string();
  record.mid = member.id;
  record.role = member.role;
  record.account = member.account;
  record.platform = member.platform;
  record.address = member.address;
  record.joined_s = member.joined_at;
  record.audio_muted = member.audio_muted;
  record.video_muted = member.video_muted;
  for (const auto &[uid, subscription] : member.subscriptions)
    record.hears.push_back({uid, subscription.audio_muted, subscription.video_muted});
  std::sort(record.hears.begin(), record.hears.end(),
            [] (const auto &one, const auto &other) { return one.uid < other.uid; });
  if (record.hears.size() > cluster::max_heard)
    record.hears.resize(cluster::max_heard);
  return record;
}

std::string key_of (const Channel &channel) {
  return cluster::channel_key(channel.app_id, channel.name);
}

}  // namespace

void ChannelBook::make_cluster() {
  const ClusterConfig &config = *config_.cluster;
  cluster::ClusterSettings settings;
  settings.gateway = config.gateway;
  settings.origin = config.origin;
  settings.info = config.info;
  settings.max_members = config_.limits.members_per_channel;
  settings.max_channels = config_.limits.channels_per_app;
  cluster::ClusterHost &host = *this;
  cluster_ = std::make_unique<Cluster>(std::move(settings), host);
}

std::int64_t ChannelBook::shared_ms(Now now) const {
  return cluster_->shared_ms(moment_of(now));
}

std::int64_t ChannelBook::to_shared_ms(std::int64_t wall_s, Now now) const {
  return shared_ms(now) + (wall_s - now.wall_s) * 1000;
}

void ChannelBook::later(ClusterCall call) {
  if (cluster_)
    cluster_calls_.push_back(std::move(call));
}

Commands ChannelBook::finish(Step &step) {
  for (cluster_step_ = &step; !cluster_calls_.empty();) {
    const ClusterCall call = std::move(cluster_calls_.front());
    cluster_calls_.pop_front();
    call(*cluster_, moment_of(step.now));
  }
  cluster_step_ = nullptr;
  return std::move(step.out);
}

Commands ChannelBook::start_cluster(Now now) {
  return tell_cluster(now, [] (Cluster &all, Moment at) { all.start(at); });
}

Commands ChannelBook::stored(std::uint64_t ticket, const cluster::Answer &answer, Now now) {
  return tell_cluster(now, [&] (Cluster &all, Moment at) { all.stored(ticket, answer, at); });
}

Commands ChannelBook::heard(std::string_view topic, std::string_view message, Now now) {
  return tell_cluster(now, [=] (Cluster &all, Moment at) { all.heard(topic, message, at); });
}

Commands ChannelBook::subscribed(std::string_view topic, Now now) {
  return tell_cluster(now, [=] (Cluster &all, Moment at) { all.subscribed(topic, at); });
}

Commands ChannelBook::store_up(Now now) {
  return tell_cluster(now, [] (Cluster &all, Moment at) { all.store_up(at); });
}

Commands ChannelBook::store_down(Now now) {
  return tell_cluster(now, [] (Cluster &all, Moment at) { all.store_down(at); });
}

Commands ChannelBook::set_cluster_info(const std::string &info, Now now) {
  return tell_cluster(now, [&] (Cluster &all, Moment at) { all.set_info(info, at); });
}

Commands ChannelBook::tell_cluster(Now now, ClusterCall call) {
  Step step{now, {}};
  later(std::move(call));
  return finish(step);
}

std::pair<std::uint64_t, Commands> ChannelBook::query(cluster::Operation operation, Now now) {
  std::uint64_t ticket = 0;
  auto commands = tell_cluster(
      now, [&] (Cluster &all, Moment at) { ticket = all.query(std::move(operation), at); });
  return {ticket, std::move(commands)};
}

// What the cluster is told of members.

void ChannelBook::release(const Member &member) {
  if (cluster_ && member.entrance != Entrance::mix)
    later([key = key_of(*member.channel), uid = member.uid, id = member.id] (
              Cluster &all, Moment at) { all.release(key, uid, id, at); });
}

void ChannelBook::describe(const Member &member, bool paced) {
  if (cluster_ && member.entrance != Entrance::mix && !member.orphan)
    later([key = key_of(*member.channel), uid = member.uid, paced,
           record = record_of(member, shows_members(member.channel->app_id))] (
              Cluster &all, Moment at) { all.describe(key, uid, record.mid, record, at, paced); });
}

// What may change often, and what it takes along to another gateway. A stream that ends, and with
// it its subscriptions, is no reason: they name nothing any more.
void ChannelBook::describe_soon(Step &step, Member &member) {
  if (!cluster_ || member.entrance == Entrance::mix || member.describing)
    return;
  member.describing = true;
  deadlines_.set({Deadline::describe, member.id}, step.now.mono_ms + describe_ms);
  describe(member);
}

// What has changed since.
void ChannelBook::describe_again(Member &member) {
  member.describing = false;
  describe(member);
}

void ChannelBook::speak(const Voice &voice) {
  if (cluster_ && !voice.member->orphan)
    later([key = key_of(*voice.channel), uid = voice.uid, id = voice.member->id,
           what = cluster::Spoken{voice.streams, voice.to, voice.name, voice.audio_muted,
                                  voice.video_muted}] (Cluster &all, Moment at) {
      all.speak(key, uid, id, what, at);
    });
}

void ChannelBook::hush(const Member &member) {
  if (cluster_)
    later([key = key_of(*member.channel), uid = member.uid, id = member.id,
           stream = member.live->names().at(protocol::Codec::aac)] (Cluster &all, Moment at) {
      all.hush(key, uid, id, stream, at);
    });
}

// A join waits for its place; what its socket asks meanwhile is asked by one that hasn't joined.
void ChannelBook::ask_for_place(const Asked &asked, Joining joining) {
  const SessionId id = asked.session.id;
  asked.session.joining = true;
  Newcomer &newcomer = newcomers_[id];
  newcomer = {joining.join, std::move(joining.identity), joining.grant, asked.id, asked.session};
  cluster::ClaimRequest request;
  request.key = cluster::channel_key(newcomer.join.app_id, newcomer.join.channel);
  request.uid = newcomer.identity.uid;
  request.adopt = newcomer.join.known_speakers.has_value();
  request.who.role = newcomer.join.role;
  request.who.account = newcomer.identity.account;
  request.who.platform = platform_of(newcomer.origin, newcomer.join);
  request.who.address = newcomer.origin.address;
  if (shows_members(newcomer.join.app_id))
    request.who.name = newcomer.join.name;
  later([id, request = std::move(request)] (Cluster &all, Moment at) {
    cluster::ClaimRequest mine = request;
    mine.who.joined_s = at.wall_ms / 1000;
    all.claim(id, mine, at);
  });
}

// What the cluster asks for.

void ChannelBook::ask(cluster::Ticket ticket, cluster::Operation operation) {
  cluster_step_->out.push_back(Ask{ticket, std::move(operation)});
}

void ChannelBook::watch(const std::string &topic) {
  cluster_step_->out.push_back(Watch{topic, true});
}

void ChannelBook::unwatch(const std::string &topic) {
  cluster_step_->out.push_back(Watch{topic, false});
}

std::uint64_t ChannelBook::random() {
  return random_id(config_.random);
}

void ChannelBook::answered(cluster::Ticket ticket, const cluster::Answer &answer) {
  if (const auto look = tickets_of_looks_.extract(ticket))
    return found_elsewhere(*cluster_step_, look.mapped(), answer);
  cluster_step_->out.push_back(Answered{ticket, answer});
}

void ChannelBook::odd(const std::string &what) {
  cluster_step_->out.push_back(Odd{what});
}

std::vector<Uid> ChannelBook::candidates(cluster::JoinId join) {
  const auto found = newcomers_.find(join);
  if (found == newcomers_.end())
    return {};
  const Newcomer &newcomer = found->second;
  std::vector<Uid> uids{pick_uid(newcomer.join, newcomer.identity)};
  while (uids.size() < candidates_at_once) {
    Uid uid = uids.back() + 1;
    if (newcomer.identity.account.empty())
      uid = pick_uid(newcomer.join, newcomer.identity);
    uids.push_back(std::max(uid, Uid{1}));
  }
  return uids;
}

bool ChannelBook::allows(cluster::JoinId join) {
  const auto found = newcomers_.find(join);
  return found != newcomers_.end() &&
         !bans(found->second.origin, found->second.join, found->second.identity,
               pick_uid(found->second.join, found->second.identity), cluster_step_->now);
}

void ChannelBook::claimed(cluster::JoinId join, const cluster::Claimed &claimed) {
  auto node = newcomers_.extract(join);
  if (node.empty())
    return;
  Step &step = *cluster_step_;
  Newcomer &newcomer = node.mapped();
  MemberSession *there = session(join);
  if (there)
    there->joining = false;
  const Joining joining{newcomer.join, newcomer.identity, newcomer.grant};
  const bool banned =
      claimed.verdict == Verdict::rules ||
      (claimed.verdict == Verdict::ok &&
       bans(newcomer.origin, newcomer.join, newcomer.identity, claimed.uid, step.now));
  if (banned && claimed.verdict == Verdict::ok)
    later([key = cluster::channel_key(newcomer.join.app_id, newcomer.join.channel),
           uid = claimed.uid,
           mid = claimed.mid] (Cluster &all, Moment at) { all.release(key, uid, mid, at); });
  if (there && (banned || claimed.verdict != Verdict::ok))
    return refuse_place(step, {*there, newcomer.request_id}, claimed.verdict, banned);
  if (banned || claimed.verdict != Verdict::ok)
    return;
  Place place{claimed.uid, claimed.mid, claimed.created, !claimed.adopted};
  if (claimed.adopted && claimed.older) {
    place.joined_at = claimed.older->joined_s;
    place.before = claimed.older;
  }
  if (there)
    return enter(step, {*there, newcomer.request_id}, joining, place);
  // Its socket has closed meanwhile. Whoever lost it comes back for the member.
  Member &member = settle(step, newcomer.origin, joining, place);
  if (MemberSession *loser = member.session)
    loser->member = nullptr;
  member.session = nullptr;
  member.address = newcomer.origin.address;
  member.network = newcomer.origin.network;
  member.host = newcomer.origin.host;
  begin_grace(step, member);
  set_role(step, member, newcomer.join.role);
  describe(member);
  set_grant(step, member, newcomer.grant);
}

void ChannelBook::refuse_place(Step &step, const Asked &asked, Verdict verdict, bool banned) {
  if (banned)
    return refuse_banned(step, asked);
  const auto no = [&] (Code code, const char *why) {
    totals_.joins[static_cast<int>(code)]++;
    refuse(step, asked, code, why);
  };
  if (verdict == Verdict::full)
    return no(Code::too_many, "the channel is full");
  if (verdict == Verdict::too_many_channels)
    return no(Code::too_many, "the app has too many channels");
  if (verdict != Verdict::lost)
    return no(Code::overloaded, "no place in the channel could be had");
  no(Code::bad_role_or_uid, "replaced by another device");
  close(step, asked.session, CloseCode::replaced, "replaced by another device");
}

void ChannelBook::taken(const std::string &, Uid, MemberId mid, bool adopted) {
  Step &step = *cluster_step_;
  Member *lost = member(mid);
  if (!lost || lost->orphan)
    return;
  if (MemberSession *loser = lost->session) {
    step.out.push_back(Send{
        {loser->id}, protocol::ErrorEvent{Code::bad_role_or_uid, "replaced by another device"}});
    close(step, *loser, CloseCode::replaced, "replaced by another device");
  }
  // It is elsewhere, whatever was found there last.
  looks_.seen(lost->channel->key, lost->uid, false, {{lost->name, lost->role, lost->joined_at}});
  if (adopted)
    make_orphan(step, *lost);
  else
    remove(step, *lost, LeaveReason::replaced);
}

void ChannelBook::ended(const std::string &key) {
  if (const auto names = cluster::split_key(key)) {
    Channel gone;
    std::tie(gone.app_id, gone.name) = *names;
    notice_channel(*cluster_step_, gone, NoticeKind::channel_destroyed);
  }
}

void ChannelBook::cut_off(const std::string &key,
                          const std::vector<std::pair<Uid, cluster::MemberRecord>> &speakers) {
  const auto names = cluster::split_key(key);
  if (!names)
    return;
  for (const auto &[uid, record] : speakers)
    cluster_step_->out.push_back(Notice{
        NoticeKind::stream_removed, names->first, names->second, uid, record.account, record.role,
        record.platform, LeaveReason::other, cluster_step_->now.wall_s, record.joined_s});
}

void ChannelBook::reaped(const std::string &key,
                         const std::vector<std::pair<Uid, cluster::MemberRecord>> &members,
                         bool is_over) {
  const auto names = cluster::split_key(key);
  if (!names)
    return;
  const std::int64_t now = cluster_step_->now.wall_s;
  for (const auto &[uid, record] : members)
    cluster_step_->out.push_back(Notice{NoticeKind::member_out, names->first, names->second, uid,
                                        record.account, record.role, record.platform,
                                        LeaveReason::silent, now, record.joined_s});
  if (is_over)
    ended(key);
}

}  // namespace agora::gateway
