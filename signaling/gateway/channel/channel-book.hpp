// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The rules of every channel, in one place: (session, message, now) in, commands out. Pure: no
// sockets, no timers, no JSON. Not thread-safe: one loop owns it. One class, whose methods are
// spread over several files by what they are about:
//   channel-book.cpp  sockets, dispatch, timers, what there is
//   join.cpp          join, rejoin, replacing, adopting
//   live.cpp          how all that looks, for the operator
//   mix.cpp           the ears of agora-web, which nobody sees
//   feeds.cpp         the mixes that it pushes for players
//   encoders.cpp      who pushes by a stream key
//   play-keys.cpp     who plays by a play key
//   requests.cpp      what a member asks for
//   reports.cpp       what it says of its sound, for the operator
//   members.cpp       how a member and its streams come and go, tokens while they last
//   voices.cpp        what is on the air in a channel, and who plays it
//   codecs.cpp        who gets which codec, and which of them are wanted
//   remote.cpp        what is on the air at other gateways, and what went there
//   pulled.cpp        how the relay fares that pulls what is pushed elsewhere
//   cluster-side.cpp  what it and the other gateways tell each other, by the store
//   telling.cpp       what the others hear of that, and how often
//   talk.cpp          voices that are for a few
//   listing.cpp       who is there, for members that may ask
//   elsewhere.cpp     the same of other gateways, by looks.hpp
//   data.cpp          words that they send each other
//   costs.cpp         what a socket and an address may ask for
//   media-hooks.cpp   the media server's hooks
//   bans.cpp          removing and silencing from outside
//   shutdown.cpp      when the media server, or the gateway, comes to its end
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "signaling/gateway/channel/book-config.hpp"
#include "signaling/gateway/channel/book-infos.hpp"
#include "signaling/gateway/channel/channel.hpp"
#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/channel/feeds.hpp"
#include "signaling/gateway/channel/hook-form.hpp"
#include "signaling/gateway/channel/looks.hpp"
#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/gateway/channel/players.hpp"
#include "signaling/gateway/channel/rule-match.hpp"
#include "signaling/gateway/channel/rule-text.hpp"
#include "signaling/gateway/channel/step.hpp"
#include "signaling/gateway/channel/stream-keys.hpp"
#include "signaling/gateway/cluster/cluster.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/protocol/token.hpp"
#include "signaling/support/timer-queue.hpp"

namespace agora::gateway {

class ChannelBook : private cluster::ClusterHost {
 public:
  explicit ChannelBook(Config config);
  ~ChannelBook() override;
  ChannelBook(const ChannelBook &) = delete;
  ChannelBook &operator=(const ChannelBook &) = delete;

  // `address`: the peer's, without port; of Entrance::web the browser's, of Entrance::mix "".
  // `host`: by which the client reached the gateway, without port (an IPv6 literal with or without
  // brackets).
  Commands connected (SessionId session, std::string_view address, std::string_view host, Now now,
                      Entrance entrance = Entrance::front);
  // First of all, before a frame of so many bytes is read: whether its sender may ask for that. If
  // not, it is only refused, by the id that it seems to have (0: none).
  bool affords (SessionId session, std::size_t bytes, Now now);
  Commands refuse_frame (SessionId session, std::int64_t request_id, Now now);
  Commands received (SessionId session, const protocol::ClientMessage &message, Now now);
  // A frame that the codec refused.
  Commands malformed (SessionId session, const protocol::DecodeError &error, Now now);
  Commands disconnected (SessionId session, Now now);

  // The moment, on the monotonic clock, when tick() has something to do; nothing: never.
  std::optional<std::int64_t> next_deadline () const;
  Commands tick (Now now);

  HookAnswer on_publish (const HookRequest &request, Now now);
  HookAnswer on_play (const HookRequest &request, Now now);
  Commands on_publish_done (const HookRequest &request, Now now);
  Commands on_play_done (const HookRequest &request, Now now);
  // Died or restarted: every RTMP session is gone.
  Commands media_server_lost (Now now);
  // The relay plays a stream from where it is pushed.
  Commands stream_pulled (const std::string &stream, Now now);
  // It can't, and cuts all who listen to it here.
  Commands listeners_cut (const std::string &stream, Now now);
  // The ids of all sessions that the media server has, from its own statistics, which were asked
  // for at `asked_ms` of the monotonic clock: an end whose hook got lost is made up for.
  Commands media_sessions (const std::vector<std::uint64_t> &there, std::int64_t asked_ms, Now now);
  // The media server stays away: every member is told to move on (501), and nobody joins until it
  // is back.
  Commands service_lost (Now now);
  void service_back () { service_lost_ = false; }

  // Nobody joins any more (503), and members are told to move on, one after another, within half of
  // the time.
  Commands drain (std::int64_t for_ms, Now now);
  // They have all gone, but for encoders, which can't be told, and mixes, which come last.
  bool drained () const { return draining_ && members_.size() == encoders_.size() + totals_.mixes; }
  // Tells every member to move on, closes every socket, lets none in any more.
  Commands close_all (Now now);

  // With Config::cluster: what the store answers and publishes (Ask, Watch). Once, before all else:
  Commands start_cluster (Now now);
  Commands stored (std::uint64_t ticket, const cluster::Answer &answer, Now now);
  Commands heard (std::string_view topic, std::string_view message, Now now);
  Commands subscribed (std::string_view topic, Now now);
  Commands store_up (Now now);
  Commands store_down (Now now);
  Commands set_cluster_info (const std::string &info, Now now);
  // For an operator: Answered follows, with this ticket.
  std::pair<std::uint64_t, Commands> query (cluster::Operation operation, Now now);
  const cluster::Cluster *cluster () const { return cluster_.get(); }

  // Whether its member is in a channel.
  bool joined (SessionId session) const;
  // The apps from now on, by id, with their certificates. Who is in stays in.
  void set_apps (std::map<std::string, std::string, std::less<>> apps) {
    config_.apps = std::move(apps);
  }
  Commands set_show_members (ShownApps apps, Now now);
  bool serves (std::string_view app_id) const { return config_.apps.contains(app_id); }
  std::vector<ChannelInfo> channels (std::string_view app_id) const;
  // Nothing: no such channel.
  std::optional<std::vector<MemberInfo>> members (std::string_view app_id,
                                                  std::string_view channel) const;
  std::optional<MemberInfo> member (std::string_view app_id, std::string_view channel,
                                    protocol::Uid uid) const;
  // A time of the wall clock here by the clock that gateways share, and back.
  std::int64_t to_shared_ms (std::int64_t wall_s, Now now) const;
  // Whether a rule takes the voice of a member that may be at another gateway.
  bool silences (std::string_view app_id, std::string_view channel, const MemberInfo &member,
                 Now now) const;
  Totals totals () const;
  // Those who publish, or all others, in no order, until `visit` says that it is enough.
  void each_member (bool publishing, const std::function<bool(const LiveMember &)> &visit) const;
  // Of so many channels by name.
  ChannelsFigures channel_figures (std::size_t most, Now now) const;
  // Whose a name at the media server is; nothing: nobody's any more.
  std::optional<ChannelName> channel_of_stream (const std::string &stream) const;

  // `rule.id` is chosen by the channel book and written back. Of a cluster's rules the store is
  // told instead: query().
  Commands add_rule (Rule &rule, Now now);
  // As many as there may be, those that are over left out.
  bool rules_full (Now now) const;
  // What is to outlast a restart; and back, before anyone is here.
  KeptRules kept_rules (Now now) const;
  void restore_rules (KeptRules kept, Now now);
  std::vector<Rule> rules (std::string_view app_id, Now now) const;
  bool change_rule (std::uint64_t id, std::int64_t ends_at, Now now);
  // Nothing: there is no such rule.
  std::optional<Commands> lift_rule (std::uint64_t id, Now now);

  // Nothing: there are too many.
  std::optional<StreamKeys::Made> make_stream_key (const std::string &app_id,
                                                   const std::string &channel, Uid uid, Now now,
                                                   KeyUse use = KeyUse::push);
  // Whoever pushes or plays by it leaves. Nothing: there is no such key.
  std::optional<Commands> end_stream_key (std::uint64_t id, Now now);
  std::vector<StreamKeyInfo> stream_keys (std::string_view app_id, KeyUse use = KeyUse::push) const;
  // For a file: StreamKeys::parse().
  std::string stream_keys_text () const { return keys_.text(); }
  void set_stream_keys (StreamKeys keys) { keys_ = std::move(keys); }
  // What an encoder or player is given beside its key. `host`: by which the operator reached us.
  std::string media_server (std::string_view host, bool of_mixes = false) const;
  bool makes_mixes () const { return config_.makes_mixes; }

 private:
  // channel-book.cpp: looking up
  Channel *find_channel (std::string_view app_id, std::string_view name);
  const Channel *find_channel (std::string_view app_id, std::string_view name) const;

  // channel-book.cpp: sending and sockets
  void answer (Step &step, const Asked &asked, protocol::Answer answer = {});
  void refuse (Step &step, const Asked &asked, protocol::Code code, std::string reason);
  void tell (Step &step, const Member &member, protocol::Event event);
  void notice (Step &step, const Member &member, NoticeKind kind,
               LeaveReason reason = LeaveReason::other);
  // Forgets the socket; its member, if it has one, goes into grace.
  void end_session (Step &step, MemberSession &session);
  void begin_grace (Step &step, Member &member);
  void close (Step &step, MemberSession &session, CloseCode code, std::string reason);
  void watch_session (MemberSession &session);
  void check_session (Step &step, MemberSession &session);
  MemberSession *session (SessionId id);
  Member *member (MemberId id);

  // telling.cpp
  static News news (const Channel &channel, Uid uid);
  static bool is_told (const News &news, const Told &told);
  // Something of that member has changed, or it has gone: the others are told, now or soon.
  void changed (Step &step, Channel &channel, Uid uid);
  void stop_waiting (Channel &channel, Told &told);
  void tell_changes (Step &step, Channel &channel);
  void tell_change (Step &step, Channel &channel, Uid uid);
  void tell_added (Step &step, Channel &channel, Uid uid, const protocol::Addressees &to,
                   const protocol::Addressees *but = nullptr);
  void tell_mutes (Step &step, Channel &channel, Uid uid, const News &what, bool comes,
                   const protocol::Addressees &before);
  // Those of `to` who aren't among `but`.
  void tell_others (Step &step, Channel &channel, Uid uid, const protocol::Event &event,
                    const protocol::Addressees &to, const protocol::Addressees *but = nullptr);
  void check_telling (Step &step, std::uint64_t id);

  // talk.cpp
  static bool is_for (const protocol::Addressees &to, const Member &listener);
  static std::vector<const Member *> others_of (const Channel &channel, Uid uid,
                                                const protocol::Addressees &to,
                                                const protocol::Addressees *but);
  // `voice` is for others than it was: those who are left out hear no more of it.
  void readdress (Step &step, Voice &voice);

  // costs.cpp
  Network &network (const std::string &name, Now now);
  void leave_network (const std::string &name, Now now);
  void charge_join (MemberSession &session, std::size_t events, Now now);

  // join.cpp
  struct Identity {
    Uid uid = 0;  // 0: assign one
    std::string account;
  };
  // A join that was looked at.
  struct Joining {
    const protocol::Join &join;
    Identity identity;
    std::optional<protocol::Grant> grant;
  };
  // What a join gets.
  struct Place {
    Uid uid = 0;
    MemberId id = 0;                        // of the member that comes back, or a new one
    bool opens = true;                      // the channel, if nobody is in it
    bool is_new = true;                     // and no member that comes here from another gateway
    std::optional<std::int64_t> joined_at;  // wall clock, seconds; nothing: now
    // What it had at the gateway that it comes from.
    std::optional<cluster::MemberRecord> before;
  };
  void join (Step &step, const Asked &asked, const protocol::Join &join);
  // Whether there is room for one more.
  std::optional<std::pair<protocol::Code, std::string>> check_room (std::string_view app_id,
                                                                    std::string_view channel,
                                                                    const Identity &identity) const;
  bool bans (const MemberSession &session, const protocol::Join &join, const Identity &identity,
             Uid uid, Now now) const;
  void refuse_banned (Step &step, const Asked &asked);
  // Each uid has one place in a channel, and who comes last gets it.
  Place claim (const Joining &joining, Uid uid) const;
  void enter (Step &step, const Asked &asked, const Joining &joining, const Place &place);
  Member &settle (Step &step, const MemberSession &session, const Joining &joining,
                  const Place &place);
  static std::string platform_of (const MemberSession &session, const protocol::Join &join);
  Member &make_member (Channel &channel, const MemberSession &session, const Joining &joining,
                       const Place &place, Now now);
  // What is wrong with the join, by the order of the codes; fills in what the token grants.
  std::optional<std::pair<protocol::Code, std::string>> check_join (
      Step &step, const MemberSession &session, const protocol::Join &join, Identity &identity,
      std::optional<protocol::Grant> &grant);
  struct Claim {
    std::string_view app_id;
    std::string_view channel;
    std::string_view uid;
    bool is_account = false;
    std::string_view token;
  };
  std::optional<std::pair<protocol::Code, std::string>> check_token (
      Step &step, const Claim &claim, std::optional<protocol::Grant> &grant);
  void join_again (Step &step, const Asked &asked, const protocol::Join &join,
                   const std::optional<protocol::Grant> &grant);
  void welcome (Step &step, const Asked &asked, Member &member, const protocol::Join &join);
  void take_over (Step &step, Member &member, MemberSession &session);
  void leave_grace (Member &member);
  Channel &make_channel (const std::string &app_id, const std::string &name);
  void open_channel (Step &step, Channel &channel, bool begins);
  MemberId new_member_id () const;
  Uid pick_uid (const protocol::Join &join, const Identity &identity) const;
  void tell_streams (Step &step, const Member &member, const protocol::Join &join);

  // remote.cpp
  Channel *channel_of (const std::string &key);
  void begin_remote_voices (Step &step, Channel &channel);
  void end_remote_voices (Step &step, Channel &channel);
  void forget_remote_streams (const Voice &voice);
  void set_remote (Step &step, Channel &channel, Uid uid, const cluster::SpeakerEntry &entry);
  void leave_behind (Step &step, Member &orphan);
  void end_remote (Step &step, Channel &channel, Uid uid);
  void make_orphan (Step &step, Member &member);
  static bool is_idle (const Member &orphan);
  void revive (Member &member);
  void resume (Step &step, Member &member, const cluster::MemberRecord &before);
  void end_orphan (Step &step, Member &member);
  std::string relay_url (const std::string &stream, const std::string &origin, Now now) const;
  std::string admit_relay (Step &step, const HookRequest &request, const UrlArgs &args);
  void relay_ended (Step &step, std::uint64_t client);
  void relays_changed (Step &step, const NamedStream &named);
  void leave_relays (Step &step, const Offer &offer);
  void drop_relays (Step &step, const std::string &stream, const NamedStream &named);

  // pulled.cpp
  Voice *voice_of (const std::string &stream);
  void send_on (Step &step, const Voice &voice);
  void check_pull (Step &step, std::uint64_t voice);
  void forget_pull (Voice &voice);

  // cluster-side.cpp
  using ClusterCall = std::function<void(cluster::Cluster &, cluster::Moment)>;
  // A join whose place the store is asked for.
  struct Newcomer {
    protocol::Join join;
    Identity identity;
    std::optional<protocol::Grant> grant;
    std::int64_t request_id = 0;
    MemberSession origin;  // as it was; it may be closed before the answer
  };
  void make_cluster ();
  // The clock by which gateways tell each other times.
  std::int64_t shared_ms (Now now) const;
  // At the end of the call: finish().
  void later (ClusterCall call);
  // The end of each call into the channel book.
  Commands finish (Step &step);
  Commands tell_cluster (Now now, ClusterCall call);
  void ask_for_place (const Asked &asked, Joining joining);
  void refuse_place (Step &step, const Asked &asked, cluster::Verdict verdict, bool banned);
  void release (const Member &member);
  void describe (const Member &member, bool paced = false);
  void describe_soon (Step &step, Member &member);
  void describe_again (Member &member);
  void speak (const Voice &voice);
  void hush (const Member &member);
  // ClusterHost, remote.cpp and cluster-rules.cpp as well
  void ask (cluster::Ticket ticket, cluster::Operation operation) override;
  void watch (const std::string &topic) override;
  void unwatch (const std::string &topic) override;
  void claimed (cluster::JoinId join, const cluster::Claimed &claimed) override;
  void taken (const std::string &key, Uid uid, MemberId mid, bool adopted) override;
  void orphan_over (const std::string &key, Uid uid, MemberId mid) override;
  void speaker_set (const std::string &key, Uid uid, const cluster::SpeakerEntry &entry) override;
  void speaker_gone (const std::string &key, Uid uid) override;
  void member_set (const std::string &key, Uid uid, const cluster::MemberRecord &who) override;
  void member_gone (const std::string &key, Uid uid) override;
  void ended (const std::string &key) override;
  void cut_off (const std::string &key,
                const std::vector<std::pair<Uid, cluster::MemberRecord>> &speakers) override;
  void reaped (const std::string &key,
               const std::vector<std::pair<Uid, cluster::MemberRecord>> &members,
               bool is_over) override;
  std::vector<Uid> candidates (cluster::JoinId join) override;
  std::uint64_t random () override;
  void rules (const std::vector<cluster::StoredRule> &rules) override;
  void rule_once (const std::string &app_id, const std::string &text) override;
  bool allows (cluster::JoinId join) override;
  void answered (cluster::Ticket ticket, const cluster::Answer &answer) override;
  void odd (const std::string &what) override;

  // mix.cpp
  std::optional<std::pair<protocol::Code, std::string>> check_mix (
      const protocol::Join &join, const MemberSession &session) const;
  void join_as_mix (Step &step, const Asked &asked, const protocol::Join &join);
  bool wants_mix (const std::string &key, const Channel *channel) const;
  void leave_web (Step &step, Channel &channel);
  void close_ears (Step &step, Channel &channel);
  void check_mixes (Step &step, std::uint64_t id);

  // feeds.cpp
  static constexpr std::string_view mix_app = "mix";  // of their URLs, where others have rtmp_app
  std::string feed_mix (Step &step, const StreamKey &key, std::string &stream);
  std::string admit_feed (Step &step, const HookRequest &request, Feed &feed, HookOwner &owner);
  void drop_feed (Step &step, const Feed &feed);
  void watch_feed (const Step &step, const std::string &channel);
  void end_feed (Step &step, std::uint64_t id);

  // encoders.cpp
  Member *encoder_of (std::uint64_t key);
  std::string check_key (const StreamKey &key, const Whom &whom, const Now &now) const;
  std::string check_encoder (const StreamKey &key, const std::string &network,
                             const Now &now) const;
  std::string admit_encoder (Step &step, const HookRequest &request, StreamKey &key,
                             std::string &stream);
  Member &enter_encoder (Step &step, const StreamKey &key, const std::string &address,
                         const std::string &network);

  // play-keys.cpp
  std::string stream_for (const Players::Whom &whom, StreamKey &key) const;
  static Whom player_of (const StreamKey &key, std::string_view network);
  std::string admit_player (Step &step, const HookRequest &request, StreamKey &key,
                            std::string &stream);
  void player_ended (Step &step, std::uint64_t client);
  void drop_players (Step &step, const std::set<std::uint64_t> &clients);
  void ban_players (Step &step, const Rule &rule);
  void recount_players (Step &step, const Players::Whom &whom);
  bool is_played (const Voice &voice) const;
  void move_players (Step &step, const Channel &channel, Uid uid);

  void count_sessions (const Channel &channel, ChannelFigures &figures) const;
  ChannelFigures figures_of (const Channel &channel, Now now) const;

  // requests.cpp
  using M = Member;
  void handle (Step &, const Asked &, M &, const protocol::SetRole &);
  void handle (Step &, const Asked &, M &, const protocol::Publish &);
  void handle (Step &, const Asked &, M &, const protocol::Unpublish &);
  void handle (Step &, const Asked &, M &, const protocol::Subscribe &);
  void handle (Step &, const Asked &, M &, const protocol::Unsubscribe &);
  void handle (Step &, const Asked &, M &, const protocol::Mute &);
  void handle (Step &, const Asked &, M &, const protocol::MuteLocal &);
  void handle (Step &, const Asked &, M &, const protocol::SetRemoteStreamType &);
  void handle (Step &, const Asked &, M &, const protocol::UpdateKey &);
  void handle (Step &, const Asked &, M &, const protocol::UpdateUrl &);
  void handle (Step &, const Asked &, M &, const protocol::Leave &);
  // reports.cpp
  void handle (Step &, const Asked &, M &, const protocol::Report &);
  // data.cpp
  void handle (Step &, const Asked &, M &, const protocol::Data &);
  bool may_tell_data (Channel &channel, const Now &now) const;
  void tell_data (Step &step, Channel &channel, Uid from, const protocol::Data &data);
  void said (const std::string &key, Uid uid, const protocol::Data &data) override;
  // listing.cpp
  void handle (Step &, const Asked &, M &, const protocol::Members &);
  bool shows_members (std::string_view app_id) const;
  bool may_answer (const Channel &channel, const Now &now);
  void begin_list (Channel &channel);
  void give_list (Step &step, const Asked &asked, const Member &member);
  void answer_waiting (Step &step, Channel &channel);
  void stop_listing (Step &step, const Member &member);
  void end_list (Step &step, Channel &channel);
  void hide_list (Step &step, Channel &channel);
  void tell_of_list (Step &step, Channel &channel, const Watchers &to, protocol::EventKind what);
  // A member has come or gone, or has another name.
  void list_changed (Step &step, Channel &channel, Uid uid);
  std::optional<std::int64_t> tell_list (Step &step, Channel &channel);
  void tell_listed (Step &step, Channel &channel, Roster::News news);
  // elsewhere.cpp
  std::optional<std::string> listed_name (const Channel &channel, Uid uid) const;
  void follow (const Channel &channel, bool on);
  void look_elsewhere (Step &step);
  void found_elsewhere (Step &step, const std::string &key, const cluster::Answer &answer);
  // Whether the member may push now; refuses the request where not.
  bool may_push (Step &step, const Asked &asked, const Member &member, const char *what);
  void carry_mutes (Step &step, Member &member);
  void carry_name (Step &step, Member &member);
  bool is_own_uid (Step &step, const Asked &asked, const Member &member, Uid uid, const char *what);
  void hand_out_push_url (Step &step, const Asked &asked, Member &member,
                          const std::optional<protocol::Codecs> &codecs,
                          const protocol::Addressees &to);

  // codecs.cpp
  void make_offer (Step &step, Member &member, const protocol::Codecs &codecs, bool negotiated);
  static protocol::Codec codec_for (const Member &listener, const Voice &voice);
  void choose_codec (Step &step, const Member &listener, Voice &voice, Subscription &subscription);
  static void set_codec (Voice &voice, Subscription &subscription, protocol::Codec codec);
  void lose_listener (Step &step, Voice &voice, protocol::Codec codec);
  void recount (Step &step, const Voice &voice);
  void tell_wanted (Step &step, Member &member);
  bool is_heard (const Voice &voice, protocol::Codec codec) const;
  void check_wanted (Step &step, Member &member);
  void tell_new_url (Step &step, const Member &listener, Uid speaker,
                     const Subscription &subscription);

  // members.cpp
  std::string push_url (const Member &member, const PublishedStream &published, Now now) const;
  std::string play_url (const Member &member, const Subscription &subscription) const;
  std::string media_url (Entrance entrance, std::string_view reached_by, const std::string &stream,
                         const std::string &args) const;
  void set_role (Step &step, Member &member, protocol::Role role);
  // Ends what the member publishes, and every URL for it; the others are told.
  void unpublish (Step &step, Member &member);
  void withdraw (Step &step, Member &member);
  void forget_stream (Step &step, std::optional<Offer> &offer);
  void drop_push (Step &step, PublishedStream &published);
  void hold (Step &step, Member &member);
  void remove (Step &step, Member &member, LeaveReason reason, bool keep_channel = false);
  void notice_channel (Step &step, const Channel &channel, NoticeKind kind);
  void destroy_if_empty (Step &step, Channel &channel);
  void set_grant (Step &step, Member &member, const std::optional<protocol::Grant> &grant);
  // Warns, unpublishes and removes as the token runs out; false: the member is gone.
  bool check_grant (Step &step, Member &member);
  bool may_publish (const Member &member, Now now) const;

  // voices.cpp
  static Voice *find_voice (Channel &channel, Uid uid);
  void grant_play (Subscription &subscription, Now now) const;
  Voice &add_voice (Channel &channel, Uid uid);
  void announce (Step &step, Member &member);
  void carry (Voice &voice, Member &member);
  void move_listeners (Step &step, Voice &voice);
  void leave_stream (Step &step, Subscription &subscription);
  void watch_old_players (Step &step, Voice &voice);
  void end_voice (Step &step, Voice &voice);
  void drop_play (Step &step, Subscription &subscription);
  void drop_old_player (Step &step, Subscription &subscription);
  void drop_old_players (Step &step, std::uint64_t voice);
  void unsubscribe (Step &step, Member &member, Uid uid);

  // media-hooks.cpp
  // "": allowed, else why not.
  std::string admit_push (Step &step, const HookRequest &request, HookOwner &owner);
  void begin_push (Step &step, Member &speaker, PublishedStream &which, std::uint64_t client);
  std::string admit_play (Step &step, const HookRequest &request, std::string &relay_from,
                          HookOwner &owner);
  void push_ended (Step &step, std::uint64_t client);
  void play_ended (Step &step, std::uint64_t client);

  // bans.cpp
  static Whom whom (const Member &member);
  bool forbidden (const Whom &whom, std::int64_t wall_s, bool Rule::*what) const;
  bool silenced (const Member &member, Now now) const;
  void apply_rule (Step &step, Rule &rule);
  void share_accounts (const Rule &rule);
  void watch_rule (const Step &step, const Rule &rule);
  void check_rule (Step &step, std::uint64_t id);
  // Takes the member off the air, or lets it on again, where a rule has begun or ended.
  void update_silence (Step &step, Member &member);
  void silence_once (Step &step, Member &member);
  void end_idle_encoder (Step &step, Member &member);
  void update_silences (Step &step);
  void ban (Step &step, Member &member);

  // shutdown.cpp
  void send_some_away (Step &step);
  void end_grace (Step &step, Member &member);

  Config config_;
  UrlSigner signer_;
  UrlSigner relay_signer_;                     // with the cluster's secret
  std::unique_ptr<cluster::Cluster> cluster_;  // null: this gateway is the only one
  std::deque<ClusterCall> cluster_calls_;
  Step *cluster_step_ = nullptr;  // of the call that the cluster is told of
  std::unordered_map<SessionId, Newcomer> newcomers_;
  std::size_t orphans_ = 0;
  StreamKeys keys_;
  std::unordered_map<std::uint64_t, MemberId> encoders_;  // by stream key
  Players players_;
  Feeds feeds_;
  bool closed_ = false;
  bool draining_ = false;
  std::vector<MemberId> to_send_away_;
  std::size_t slice_ = 0;  // how many of them at a time
  std::int64_t slice_at_ms_ = 0;
  bool service_lost_ = false;

  std::unordered_map<SessionId, std::unique_ptr<MemberSession>> sessions_;
  std::unordered_map<std::string, Network> networks_;
  std::unordered_map<MemberId, std::unique_ptr<Member>> members_;
  std::unordered_map<std::string, std::unique_ptr<Channel>> channels_;
  std::map<std::string, unsigned, std::less<>> channels_of_app_;
  std::unordered_map<std::string, NamedStream> streams_;  // by name
  std::unordered_map<std::uint64_t, Pushing> pushing_;    // by the media server's session
  std::unordered_map<std::uint64_t, Playing> playing_;    // the same
  std::unordered_map<std::uint64_t, Relayed> relayed_;    // the same
  std::unordered_map<std::uint64_t, Channel *> telling_;  // those with Deadline::tell
  std::unordered_map<std::uint64_t, Channel *> deaf_;     // those with Deadline::mix
  Looks looks_;
  std::unordered_map<cluster::Ticket, std::string> tickets_of_looks_;  // for which channel
  std::unordered_map<std::uint64_t, Voice *> moved_;  // those with Deadline::old_player
  std::unordered_map<std::uint64_t, Voice *> stuck_;  // those with Deadline::pull
  std::uint64_t next_channel_ = 1;
  std::uint64_t next_voice_ = 1;
  std::set<std::pair<std::string, protocol::TokenKind>> old_tokens_;  // those that were noted
  std::map<std::uint64_t, Rule> rules_;
  std::uint64_t next_rule_ = 1;
  TimerQueue<DeadlineKey> deadlines_;
  Totals totals_;
};

}  // namespace agora::gateway
