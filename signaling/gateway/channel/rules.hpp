// SPDX-License-Identifier: LGPL-2.1-or-later
// Behind ChannelBook. One class, whose methods are spread over several files by what they are
// about:
//   channel-book.cpp    sockets, dispatch, timers
//   join.cpp         join, rejoin, replacing, adopting
//   requests.cpp     what a member asks for
//   members.cpp      how a member and its streams come and go, tokens while they last
//   media-hooks.cpp  the media server's hooks
//   bans.cpp         removing and silencing from outside
//   shutdown.cpp     when the media server, or the gateway, comes to its end
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/channel/channel.hpp"
#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/support/timer-queue.hpp"

namespace agora::gateway {

// One call into the channel book: its moment, and what it orders.
struct Step {
  Now now;
  Commands out;
};

// The request that is being answered.
struct Asked {
  Session &session;
  std::int64_t id = 0;
};

class Rules {
 public:
  explicit Rules(Config config);

  // channel-book.cpp
  void connected (Step &step, SessionId id, std::string_view address, std::string_view host);
  void received (Step &step, SessionId id, const protocol::ClientMessage &message);
  void malformed (Step &step, SessionId id, const protocol::DecodeError &error);
  void disconnected (Step &step, SessionId id);
  void tick (Step &step);
  std::optional<std::int64_t> next_deadline () const { return deadlines_.next(); }

  // media-hooks.cpp
  std::string on_publish (Step &step, const HookRequest &request);  // "": allowed, else why not
  std::string on_play (Step &step, const HookRequest &request);
  void on_publish_done (Step &step, std::uint64_t client);
  void on_play_done (std::uint64_t client);
  void media_server_lost (Step &step);
  void media_sessions (Step &step, const std::vector<std::uint64_t> &there, std::int64_t asked_ms);

  // shutdown.cpp
  void service_lost (Step &step);
  void service_back () { service_lost_ = false; }
  void drain (Step &step, std::int64_t for_ms);
  bool drained () const { return draining_ && members_.empty(); }
  void close_all (Step &step);

  // bans.cpp
  void add_rule (Step &step, Rule &rule);
  bool change_rule (Step &step, std::uint64_t id, std::int64_t ends_at);
  bool lift_rule (Step &step, std::uint64_t id);
  std::vector<Rule> list_rules (std::string_view app_id, Now now) const;

  // channel-book.cpp
  const Channel *find_channel (std::string_view app_id, std::string_view name) const;
  bool serves (std::string_view app_id) const { return config_.apps.contains(app_id); }
  std::vector<ChannelInfo> channels (std::string_view app_id) const;
  Totals totals () const;

 private:
  enum class Deadline { session, grace, token, hold, previous, old_player, drain, rule };
  struct DeadlineKey {
    Deadline kind = Deadline::session;
    std::uint64_t id = 0;  // of the session or the rule, else of the member
    auto operator<=>(const DeadlineKey &) const = default;
  };
  // Sessions at the media server, and since when.
  struct Pushing {
    MemberId speaker = 0;
    std::int64_t since_ms = 0;
  };
  struct Playing {
    MemberId listener = 0;
    Uid speaker = 0;
    std::int64_t since_ms = 0;
  };

  // channel-book.cpp: sending and sockets
  void answer (Step &step, const Asked &asked, protocol::Answer answer = {});
  void refuse (Step &step, const Asked &asked, protocol::Code code, std::string reason);
  void tell (Step &step, const Member &member, protocol::Event event);
  void tell_others (Step &step, const Member &member, const protocol::Event &event);
  void notice (Step &step, const Member &member, NoticeKind kind,
               LeaveReason reason = LeaveReason::other);
  // Forgets the socket; its member, if it has one, goes into grace.
  void end_session (Step &step, Session &session);
  void close (Step &step, Session &session, CloseCode code, std::string reason);
  bool spend_request (Session &session, Now now);
  bool is_flood (const Session &session) const;
  void watch_session (Session &session);
  void check_session (Step &step, Session &session);
  Session *session (SessionId id);
  Member *member (MemberId id);

  // join.cpp
  struct Identity {
    Uid uid = 0;  // 0: assign one
    std::string account;
  };
  void join (Step &step, const Asked &asked, const protocol::Join &join);
  // What is wrong with the join, by the order of the codes; fills in what the token grants.
  std::optional<std::pair<protocol::Code, std::string>> check_join (
      Step &step, const Session &session, const protocol::Join &join, Identity &identity,
      std::optional<protocol::Grant> &grant);
  std::optional<std::pair<protocol::Code, std::string>> check_token (
      std::string_view app_id, std::string_view channel, std::string_view uid,
      std::string_view token, std::int64_t wall_s, std::optional<protocol::Grant> &grant) const;
  void join_again (Step &step, const Asked &asked, const protocol::Join &join,
                   const std::optional<protocol::Grant> &grant);
  void enter (Step &step, const Asked &asked, Member &member, const protocol::Join &join);
  void take_over (Member &member, Session &session);
  Channel &make_channel (Step &step, const protocol::Join &join);
  Uid pick_uid (const Channel &channel, const Identity &identity) const;
  void tell_streams (Step &step, const Member &member, const protocol::Join &join);

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
  // Whether the member may push now; refuses the request where not.
  bool may_push (Step &step, const Asked &asked, const Member &member, const char *what);
  bool is_own_uid (Step &step, const Asked &asked, const Member &member, Uid uid, const char *what);
  void hand_out_push_url (Step &step, const Asked &asked, Member &member);

  // members.cpp
  std::string push_url (const Member &member, const PublishedStream &published, Now now) const;
  std::string play_url (const Member &member, const Subscription &subscription, Now now) const;
  std::string media_url (const Member &member, const std::string &stream,
                         const std::string &args) const;
  void set_role (Step &step, Member &member, protocol::Role role);
  void announce (Step &step, Member &member);
  // Ends what the member publishes, and every URL for it; the others are told.
  void unpublish (Step &step, Member &member);
  void withdraw (Step &step, Member &member);
  void forget_stream (Step &step, std::optional<PublishedStream> &published);
  void drop_push (Step &step, PublishedStream &published);
  void drop_play (Step &step, Subscription &subscription);
  void drop_old_player (Step &step, Subscription &subscription);
  void drop_all_old_players (Step &step, Member &speaker);
  void drop_listeners (Step &step, Member &speaker);
  void unsubscribe (Step &step, Member &member, Uid uid);
  void move_listeners (Step &step, Member &speaker);
  void hold (Step &step, Member &member);
  void remove (Step &step, Member &member, LeaveReason reason, bool keep_channel = false);
  void notice_channel (Step &step, const Channel &channel, NoticeKind kind);
  void destroy_if_empty (Step &step, Channel &channel);
  void set_grant (Step &step, Member &member, const std::optional<protocol::Grant> &grant);
  // Warns, unpublishes and removes as the token runs out; false: the member is gone.
  bool check_grant (Step &step, Member &member);
  bool may_publish (const Member &member, Now now) const;

  // bans.cpp
  bool forbidden (std::string_view app_id, std::string_view channel, Uid uid,
                  std::string_view address, std::int64_t wall_s, bool Rule::*what) const;
  bool silenced (const Member &member, Now now) const;
  void watch_rule (Step &step, const Rule &rule);
  void check_rule (Step &step, std::uint64_t id);
  // Takes the member off the air, or lets it on again, where a rule has begun or ended.
  void update_silence (Step &step, Member &member);
  void silence_once (Step &step, Member &member);
  void update_silences (Step &step);
  void ban (Step &step, Member &member);

  // shutdown.cpp
  void send_some_away (Step &step);
  void end_grace (Step &step, Member &member);

  Config config_;
  UrlSigner signer_;
  bool closed_ = false;
  bool draining_ = false;
  std::vector<MemberId> to_send_away_;
  std::size_t slice_ = 0;  // how many of them at a time
  std::int64_t slice_at_ms_ = 0;
  bool service_lost_ = false;

  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<std::string, unsigned> sockets_;  // by network
  std::unordered_map<MemberId, std::unique_ptr<Member>> members_;
  std::unordered_map<std::string, std::unique_ptr<Channel>> channels_;
  std::map<std::string, unsigned, std::less<>> channels_of_app_;
  std::unordered_map<std::string, MemberId> streams_;   // name -> who may push to it
  std::unordered_map<std::uint64_t, Pushing> pushing_;  // by the media server's session
  std::unordered_map<std::uint64_t, Playing> playing_;  // the same
  std::map<std::uint64_t, Rule> rules_;
  std::uint64_t next_rule_ = 1;
  TimerQueue<DeadlineKey> deadlines_;
  Totals totals_;
};

}  // namespace agora::gateway
