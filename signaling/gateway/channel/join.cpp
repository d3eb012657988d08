// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>

#include <algorithm>
#include <set>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/protocol/argument-checks.hpp"

namespace agora::gateway {

using protocol::Code;
using protocol::EventKind;
using protocol::Privilege;
using protocol::Role;

namespace {

constexpr std::size_t max_platform = 64;
constexpr int uid_type_account = 1;
// People with quick fingers, and a start that fails a few times.
constexpr unsigned changes_at_once = 8;

bool is_all_digits (std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

struct ChecksumFree {
  void operator()(GChecksum *checksum) const { g_checksum_free(checksum); }
};

}  // namespace

// The same in the same channel, after a restart as well.
Uid account_uid (std::string_view app_id, std::string_view channel, std::string_view account) {
  std::unique_ptr<GChecksum, ChecksumFree> sum(g_checksum_new(G_CHECKSUM_SHA256));
  for (std::string_view part : {app_id, channel, account}) {
    const std::string sized = std::to_string(part.size()) + ':' + std::string(part);
    g_checksum_update(sum.get(), reinterpret_cast<const guchar *>(sized.data()),
                      static_cast<gssize>(sized.size()));
  }
  guint8 digest[32];
  gsize length = sizeof digest;
  g_checksum_get_digest(sum.get(), digest, &length);
  const Uid uid =
      Uid{digest[0]} << 24 | Uid{digest[1]} << 16 | Uid{digest[2]} << 8 | Uid{digest[3]};
  return std::max(uid, Uid{1});
}

std::optional<std::pair<Code, std::string>> ChannelBook::check_token(
    Step &step, const Claim &claim, std::optional<protocol::Grant> &grant) {
  const auto app = config_.apps.find(claim.app_id);
  const std::int64_t wall_s = step.now.wall_s;
  // Clients without a token send the app id in its place.
  const bool given = !claim.token.empty() && claim.token != claim.app_id;
  if (app == config_.apps.end())
    return {{Code::app_invalid, "unknown app id"}};
  if (app->second.empty()) {
    grant.reset();
    if (given)
      return {{Code::token_unexpected, "a token was given, but the app has no certificate"}};
    return {};
  }
  if (!given)
    return {{Code::token_missing, "the app has a certificate, but no token was given"}};
  const auto kind = protocol::kind_of(claim.token);
  const auto &taken = config_.token_kinds;
  if (kind && std::find(taken.begin(), taken.end(), *kind) == taken.end())
    return {{Code::token_invalid, "a token of version " + std::string(version_of(*kind)) +
                                      ": expected one of the versions that the gateway takes"}};
  auto verified = config_.verify_token(
      claim.token, {claim.app_id, app->second, claim.channel, claim.uid}, wall_s);
  if (const auto *error = std::get_if<protocol::TokenError>(&verified))
    return {{error->code, error->reason}};
  grant = std::get<protocol::Grant>(verified);
  if (!(*grant)[Privilege::join_channel].allowed)
    return {{Code::token_invalid, "the token doesn't allow joining a channel"}};
  if (!grant->allows(Privilege::join_channel, wall_s))
    return {{Code::token_expired, "the token's privilege to join has ended"}};
  // A token for 8 doesn't say whether that is a uid or an account: the bearer must not have the
  // choice, and be two.
  if (claim.is_account && grant->binds_uid && is_all_digits(claim.uid))
    return {{Code::bad_role_or_uid, "account " + protocol::quoted(claim.uid) +
                                        ": expected it as an integer uid (uidType 0), as the token "
                                        "is for one uid"}};
  if (kind && kind != protocol::TokenKind::access_token_007 &&
      old_tokens_.emplace(claim.app_id, *kind).second)
    step.out.push_back(OldToken{std::string(claim.app_id), *kind});
  return {};
}

std::optional<std::pair<Code, std::string>> ChannelBook::check_join(
    Step &step, const MemberSession &session, const protocol::Join &join, Identity &identity,
    std::optional<protocol::Grant> &grant) {
  // "007" and "7" are one uid, and tokens are signed for its usual spelling.
  std::string named = join.uid;
  if (const auto number = protocol::parse_uid(join.uid);
      number && join.uid_type != uid_type_account)
    named = std::to_string(*number);
  const Claim claim{join.app_id, join.channel, named, join.uid_type == uid_type_account,
                    join.token};
  if (auto wrong = check_token(step, claim, grant))
    return wrong;
  if (auto wrong = protocol::check_channel(join.channel))
    return {{Code::bad_request, *wrong}};

  if (join.uid_type == uid_type_account) {
    if (auto wrong = protocol::check_account(join.uid))
      return {{Code::bad_role_or_uid, *wrong}};
    identity.account = join.uid;
  } else if (const auto uid = protocol::parse_uid(join.uid)) {
    identity.uid = *uid;
  } else {
    return {{Code::bad_role_or_uid,
             "uid " + protocol::quoted(join.uid) + ": expected an unsigned 32-bit integer"}};
  }

  const Channel *there = find_channel(join.app_id, join.channel);
  if (session.member) {
    const Member &self = *session.member;
    if (self.channel != there)
      return {{Code::bad_request,
               "already in channel " + protocol::quoted(self.channel->name) + ": leave first"}};
    const bool same = identity.account.empty() ? !identity.uid || identity.uid == self.uid
                                               : identity.account == self.account;
    if (!same)
      return {{Code::bad_role_or_uid, "already joined with uid " + std::to_string(self.uid)}};
    return {};
  }
  if (draining_)
    return {{Code::drain, "the gateway is shutting down"}};
  if (service_lost_)
    return {{Code::service_lost, "the media server is lost"}};
  return {};
}

std::optional<std::pair<Code, std::string>> ChannelBook::check_room(
    std::string_view app_id, std::string_view channel, const Identity &identity) const {
  const Channel *there = find_channel(app_id, channel);
  const bool known =
      there && (identity.account.empty() ? there->members.contains(identity.uid)
                                         : there->accounts.contains(identity.account));
  if (known)
    return {};
  const Limits &limits = config_.limits;
  const bool store_counts = cluster_ && !cluster_->away();
  if (store_counts) {
    // What other gateways have counts as well.
  } else if (!there || !there->open) {
    const auto count = channels_of_app_.find(app_id);
    const unsigned open = count == channels_of_app_.end() ? 0 : count->second;
    if (limits.channels_per_app && open >= limits.channels_per_app)
      return {{Code::too_many, "the app has too many channels"}};
  } else if (limits.members_per_channel && there->members.size() >= limits.members_per_channel) {
    return {{Code::too_many, "the channel is full"}};
  }
  if (limits.members && members_.size() - totals_.mixes - orphans_ >= limits.members)
    return {{Code::overloaded, "the gateway has too many members"}};
  return {};
}

void ChannelBook::join(Step &step, const Asked &asked, const protocol::Join &join) {
  if (asked.session.entrance == Entrance::mix)
    return join_as_mix(step, asked, join);
  if (asked.session.joining)
    return refuse(step, asked, Code::bad_order, "a join is under way already: wait for its answer");
  Joining joining{join, {}, {}};
  auto wrong = check_join(step, asked.session, join, joining.identity, joining.grant);
  if (!wrong && !asked.session.member)
    wrong = check_room(join.app_id, join.channel, joining.identity);
  if (wrong) {
    totals_.joins[static_cast<int>(wrong->first)]++;
    return refuse(step, asked, wrong->first, std::move(wrong->second));
  }
  // Who joins is told of all streams. Once on a socket that is what a join is for.
  if (std::exchange(asked.session.has_joined, true)) {
    const Channel *there = find_channel(join.app_id, join.channel);
    charge_join(asked.session,
                (there ? there->voices.size() : 0) +
                    (join.known_speakers ? join.known_speakers->size() : 0),
                step.now);
  }
  if (asked.session.member)
    return join_again(step, asked, join, joining.grant);
  const Uid uid = pick_uid(join, joining.identity);
  if (bans(asked.session, join, joining.identity, uid, step.now))
    return refuse_banned(step, asked);
  if (cluster_)
    return ask_for_place(asked, std::move(joining));
  enter(step, asked, joining, claim(joining, uid));
}

bool ChannelBook::bans(const MemberSession &session, const protocol::Join &join,
                       const Identity &identity, Uid uid, Now now) const {
  return forbidden({join.app_id, join.channel, uid, identity.account, session.network}, now.wall_s,
                   &Rule::join_channel);
}

void ChannelBook::refuse_banned(Step &step, const Asked &asked) {
  totals_.joins[static_cast<int>(Code::bad_request)]++;
  refuse(step, asked, Code::bad_request, "banned from the channel by its operator");
  step.out.push_back(Send{{asked.session.id}, protocol::Event{EventKind::banned}});
  close(step, asked.session, CloseCode::banned, "banned");
}

ChannelBook::Place ChannelBook::claim(const Joining &joining, Uid uid) const {
  if (const Channel *there = find_channel(joining.join.app_id, joining.join.channel))
    if (const auto held = there->members.find(uid); held != there->members.end())
      // Not what belongs to an account whose uid someone else has come by, or to an encoder.
      if (const Member &older = *held->second; joining.join.known_speakers &&
                                               older.account == joining.identity.account &&
                                               older.entrance != Entrance::encoder)
        return {uid, older.id};
  return {uid, new_member_id()};
}

void ChannelBook::enter(Step &step, const Asked &asked, const Joining &joining,
                        const Place &place) {
  Member &member = settle(step, asked.session, joining, place);
  take_over(step, member, asked.session);
  describe(member);
  welcome(step, asked, member, joining.join);
  set_grant(step, member, joining.grant);
}

// The member that has the place from now on: a new one, or the one that comes back.
Member &ChannelBook::settle(Step &step, const MemberSession &session, const Joining &joining,
                            const Place &place) {
  Channel &channel = make_channel(joining.join.app_id, joining.join.channel);
  open_channel(step, channel, place.opens);
  if (const auto held = channel.members.find(place.uid); held != channel.members.end()) {
    Member &older = *held->second;
    if (MemberSession *loser = older.session) {
      step.out.push_back(Send{
          {loser->id}, protocol::ErrorEvent{Code::bad_role_or_uid, "replaced by another device"}});
      close(step, *loser, CloseCode::replaced, "replaced by another device");
    }
    if (older.id != place.id)
      remove(step, older, LeaveReason::replaced, true);
  }
  if (const auto orphan = channel.orphans.find(place.uid);
      orphan != channel.orphans.end() && orphan->second->id != place.id)
    end_orphan(step, *orphan->second);
  if (Member *same = member(place.id)) {
    same->name = joining.join.name;
    if (same->orphan) {
      revive(*same);
      list_changed(step, channel, same->uid);
      if (place.before)
        resume(step, *same, *place.before);
    }
    return *same;
  }
  Member &fresh = make_member(channel, session, joining, place, step.now);
  list_changed(step, channel, fresh.uid);
  if (place.is_new)
    notice(step, fresh, NoticeKind::member_in);
  if (place.before)
    resume(step, fresh, *place.before);
  return fresh;
}

std::string ChannelBook::platform_of(const MemberSession &session, const protocol::Join &join) {
  // Of a browser, its worker would tell what that runs on.
  if (session.entrance == Entrance::web)
    return "web";
  const std::string &words = join.client_type.empty() ? join.os : join.client_type;
  return words.size() > max_platform ? std::string() : words;
}

Member &ChannelBook::make_member(Channel &channel, const MemberSession &session,
                                 const Joining &joining, const Place &place, Now now) {
  auto fresh = std::make_unique<Member>();
  Member &member = *fresh;
  const protocol::Join &join = joining.join;
  member.id = place.id;
  member.channel = &channel;
  member.uid = place.uid;
  member.account = joining.identity.account;
  member.role = join.role;
  member.entrance = session.entrance;
  member.name = join.name;
  member.platform = platform_of(session, join);
  member.joined_at = place.joined_at.value_or(now.wall_s);
  member.changes = {config_.limits.changes_per_second,
                    changes_at_once * config_.limits.changes_per_second};
  members_[member.id] = std::move(fresh);
  channel.members[member.uid] = &member;
  channel.web_members += member.entrance == Entrance::web ? 1 : 0;
  if (!member.account.empty())
    channel.accounts[member.account] = member.uid;
  if (member.role == Role::broadcaster)
    channel.broadcasters++;
  return member;
}

// Asked twice on one socket: the answer is the same, and so is the member.
void ChannelBook::join_again(Step &step, const Asked &asked, const protocol::Join &join,
                             const std::optional<protocol::Grant> &grant) {
  Member &self = *asked.session.member;
  welcome(step, asked, self, join);
  describe_soon(step, self);
  set_grant(step, self, grant);
}

// Counted as they come and go: strangers may ask for the totals, and many members must not make
// that dear.
void ChannelBook::leave_grace(Member &member) {
  if (std::exchange(member.in_grace, false))
    totals_.in_grace--;
}

void ChannelBook::take_over(Step &step, Member &member, MemberSession &session) {
  step.out.push_back(Joined{session.id});
  member.session = &session;
  leave_grace(member);
  member.address = session.address;
  member.network = session.network;
  member.host = session.host;
  session.member = &member;
  deadlines_.cancel({Deadline::grace, member.id});
  watch_session(session);
}

void ChannelBook::welcome(Step &step, const Asked &asked, Member &member,
                          const protocol::Join &join) {
  if (member.entrance != Entrance::mix)
    totals_.joins[static_cast<int>(Code::ok)]++;
  protocol::Answer hello;
  hello.uid = member.uid;
  if (join.features)
    hello.features = protocol::Features();
  const auto knows = [&] (const char *feature) {
    const bool named = join.features && std::find(join.features->begin(), join.features->end(),
                                                  feature) != join.features->end();
    if (named)
      hello.features->emplace_back(feature);
    return named;
  };
  member.knows_silence = knows(protocol::feature_silence);
  member.knows_codecs = knows(protocol::feature_codecs);
  member.knows_names = member.entrance != Entrance::mix && knows(protocol::feature_names);
  member.name = member.knows_names ? join.name : std::string();
  carry_name(step, member);
  stop_listing(step, member);
  if (member.entrance != Entrance::mix)
    list_changed(step, *member.channel, member.uid);
  member.knows_data = member.entrance != Entrance::mix && knows(protocol::feature_data);
  member.knows_talk = member.entrance != Entrance::mix && knows(protocol::feature_talk);
  // The ear of many who only listen is no member that an operator sees.
  member.knows_quality = member.entrance != Entrance::mix && knows(protocol::feature_quality);
  member.hears = member.knows_codecs ? join.hears.value_or(protocol::Codecs()) : protocol::Codecs();
  if (const auto &offer = member.next ? member.next : member.live; offer && offer->negotiated)
    tell_wanted(step, member);
  answer(step, asked, std::move(hello));
  const bool told = member.silenced;
  if (member.entrance != Entrance::mix)
    update_silence(step, member);
  // Whoever rejoins may think otherwise, and so may its new socket.
  if (member.knows_silence && told == member.silenced && (told || join.known_speakers))
    tell(step, member, {told ? EventKind::silenced : EventKind::unsilenced});
  tell_streams(step, member, join);
  set_role(step, member, join.role);
  for (auto &[uid, subscription] : member.subscriptions) {
    if (!std::exchange(subscription.moved, false))
      continue;
    choose_codec(step, member, *find_voice(*member.channel, uid), subscription);
    tell_new_url(step, member, uid, subscription);
    subscription.given = true;
  }
}

void ChannelBook::tell_streams(Step &step, const Member &member, const protocol::Join &join) {
  // What the others know, too: whatever is yet to be told, all are told together.
  const auto &all = member.channel->told;
  for (const auto &[uid, told] : all) {
    if ((uid == member.uid && member.entrance != Entrance::mix) || !told.publication ||
        !is_for(told.to, member))
      continue;
    if (member.knows_names && !told.name.empty()) {
      protocol::Event named{EventKind::member_named, uid};
      named.text = told.name;
      tell(step, member, std::move(named));
    }
    protocol::Event added{EventKind::stream_added, uid};
    added.talk = member.knows_talk && !told.to.empty();
    tell(step, member, std::move(added));
    if (told.audio_muted)
      tell(step, member, {EventKind::audio_mute, uid, "", 0, true});
    if (told.video_muted)
      tell(step, member, {EventKind::video_mute, uid, "", 0, true});
  }
  if (!join.known_speakers)
    return;
  const std::set<Uid> known(join.known_speakers->begin(), join.known_speakers->end());
  for (Uid uid : known) {
    const auto found = all.find(uid);
    if (uid != member.uid &&
        (found == all.end() || !found->second.publication || !is_for(found->second.to, member)))
      tell(step, member, {EventKind::stream_removed, uid});
  }
}

MemberId ChannelBook::new_member_id() const {
  MemberId id = 0;
  do
    id = random_id(config_.random);
  while (members_.contains(id));
  return id;
}

Uid ChannelBook::pick_uid(const protocol::Join &join, const Identity &identity) const {
  const Channel *there = find_channel(join.app_id, join.channel);
  const auto taken = [there] (Uid uid) { return there && there->members.contains(uid); };
  Uid uid = identity.uid;
  if (!identity.account.empty()) {
    if (there)
      if (const auto known = there->accounts.find(identity.account); known != there->accounts.end())
        return known->second;
    uid = account_uid(join.app_id, join.channel, identity.account);
    while (uid == 0 || taken(uid))
      uid++;
    return uid;
  }
  // 31 bits: every client's number type holds them.
  while (uid == 0 || (!identity.uid && taken(uid)))
    uid = static_cast<Uid>(random_id(config_.random) & 0x7fffffff);
  return uid;
}

}  // namespace agora::gateway
