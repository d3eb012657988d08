// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The client's one state machine. Pure: what happened and the time go in, what is to be done comes
// out. It knows no socket, no GObject and no clock, so that each state can meet each event in a
// test.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "signaling/client/errors.hpp"
#include "signaling/client/reports.hpp"
#include "signaling/protocol/codec.hpp"
#include "signaling/protocol/messages.hpp"

namespace agora::client {

using protocol::Uid;
using Millis = std::int64_t;   // of a clock that never jumps
using Ticket = std::uint64_t;  // a call of the application; 0: nobody waits for the answer
using Urls = std::map<protocol::Codec, std::string>;

// Where the client is. The public state is derived from it.
enum class Phase {
  idle,
  opening,    // a first join: the socket is being opened
  joining,    // a first join: the request is on its way
  pausing,    // a first join has failed: until the next try
  joined,     //
  waiting,    // lost the gateway: until the next try
  reopening,  // lost the gateway: the socket is being opened
  rejoining,  // lost the gateway: the request is on its way
  leaving,    // the goodbye is on its way
  failed,
};

struct Limits {
  Millis connect = 10'000;             // one peer, from the first packet to the answer to join
  Millis reconnect = 20 * 60 * 1'000;  // 0: never come back by itself; below: try for ever
  bool retry_first_join = false;       // a first join is tried for as long as a return is
  Millis request = 10'000;
  Millis ping = 3'000;
  // Near which moment a ping goes out, where they are a second apart or more.
  Millis (*beat)(Millis due) = [] (Millis due) { return due; };
  Millis silence = 10'000;
  Millis leave = 400;
  Millis first_retry = 1'000;
  Millis last_retry = 2'500;   // longest pause while the gateway is out of reach
  Millis busy_retry = 30'000;  // longest pause while it answers, but takes no members
  Millis try_again = 4'000;    // any try but the first, at most
};

// What happens.
struct CallInit {
  Ticket ticket;
  std::string app_id;
};
struct CallJoin {
  Ticket ticket;
  std::string token;
  std::string channel;
  std::string uid;
  int uid_type = 0;
  std::optional<std::vector<Uid>> known_speakers;
};
// Anything else but leave. The machine fills in the member's own uid.
struct CallRequest {
  Ticket ticket;
  protocol::Request request;
};
struct CallLeave {
  Ticket ticket;
};
struct CallReport {
  Figures figures;
};
struct Destroy {};
struct Cancel {
  Ticket ticket;
};
struct Opened {
  std::string sid;
  std::string vid;
  Millis since;  // when the connection to this peer was begun
};
struct OpenFailed {
  Trouble trouble;
};
struct Received {
  protocol::ServerMessage message;
};
struct Garbled {
  protocol::DecodeError error;
};
struct Closed {
  std::string why;
};
struct Tick {};
using Happening = std::variant<CallInit, CallJoin, CallRequest, CallLeave, CallReport, Destroy,
                               Cancel, Opened, OpenFailed, Received, Garbled, Closed, Tick>;

// What is to be done.
struct Open {
  std::string app_id;
  std::string channel;
  std::string uid;
};
struct Send {
  protocol::ClientMessage message;
};
struct Close {};
struct Finish {
  Ticket ticket;
  std::optional<Trouble> trouble;
  Uid uid = 0;
  std::string url;
  int rotation = 0;
  Urls urls;              // of publish
  std::int64_t more = 0;  // of Members: so many aren't in members()
};
struct Emit {
  protocol::Event event;
};
struct EmitError {
  Trouble trouble;
};
struct EmitReconnecting {
  Trouble cause;
};
struct EmitReconnected {
  Millis took;
};
struct Note {  // for the log
  bool warning;
  std::string text;
};
using Action = std::variant<Open, Send, Close, Finish, Emit, EmitError, EmitReconnecting,
                            EmitReconnected, Note>;

// A value: copy it to try something. One thread at a time.
class Machine {
 public:
  explicit Machine(std::uint32_t seed = 1) : random_(seed) {}

  std::vector<Action> step (const Happening &happening, Millis now);
  // When a Tick is due; nothing: no need.
  std::optional<Millis> next_tick () const;

  Phase phase () const { return phase_; }
  // Whether an earlier try for this membership has failed.
  bool is_retrying () const { return is_reconnecting() || is_joining_again(); }
  protocol::Role role () const { return role_; }
  Uid uid () const { return uid_; }
  const std::string &channel () const { return channel_; }
  const std::string &app_id () const { return app_id_; }
  const std::set<Uid> &speakers () const { return speakers_; }
  // By the operator of the channel: what this member publishes is refused, until it is told
  // otherwise.
  bool silenced () const { return silenced_; }
  // Where to push in each codec; empty: nothing is published.
  const Urls &push_urls () const { return push_urls_; }
  // Whether the gateway wants to know how this member's sound fares.
  bool takes_reports () const { return phase_ == Phase::joined && takes_reports_; }
  // Of what was offered: what somebody hears. Empty: the gateway hasn't told.
  const protocol::Codecs &codecs_wanted () const { return codecs_wanted_; }
  // In which codec that speaker is subscribed to; nothing: it isn't.
  std::optional<protocol::Codec> codec_of (Uid speaker) const;
  // Of a speaker, or one of members(). "": it has none.
  std::string name_of (Uid uid) const;
  // Who else is in the channel, by name: as the application has asked and was told since.
  const std::map<Uid, std::string> &members () const { return members_; }
  // Whether the gateway has given that list, and tells of changes.
  bool lists_members () const { return lists_; }
  // Whether what that speaker says is for a few, this member among them, as was told last.
  bool is_talkback (Uid speaker) const { return talkbacks_.contains(speaker); }

  Limits limits;
  // For people, for the next join; "": none.
  std::string name;
  // Those whom what is published from now on is for; none: everybody.
  protocol::Addressees talk_to;
  // The codecs that this member can hear, for the next join; nothing: AAC alone.
  std::optional<protocol::Codecs> hears;

 private:
  struct Pending {
    Ticket ticket = 0;
    protocol::Request request;
    Millis deadline = 0;
    bool replay = false;  // made again by the machine after a rejoin
  };
  struct Subscription {
    protocol::Subscribe request;
    std::string url;
    protocol::Codec codec = protocol::Codec::aac;
    bool audio_muted = false;
    bool video_muted = false;
    int stream_type = 0;
  };

  void on (const CallInit &call, Millis now);
  void on (const CallJoin &call, Millis now);
  void on (const CallRequest &call, Millis now);
  void on (const CallLeave &call, Millis now);
  void on (const CallReport &call, Millis now);
  void on (const Destroy &, Millis now);
  void on (const Cancel &cancel, Millis now);
  void on (const Opened &opened, Millis now);
  void on (const OpenFailed &failed, Millis now);
  void on (const Received &received, Millis now);
  void on (const Garbled &garbled, Millis now);
  void on (const Closed &closed, Millis now);
  void on (const Tick &, Millis now);

  void answered (const protocol::Answer &answer, Millis now);
  void join_answered (const Pending &pending, const protocol::Answer &answer, Millis now);
  void happened (const protocol::Event &event, Millis now);
  void listed (const protocol::MemberList &list, bool replay);
  bool is_asking_for_list () const;
  Millis list_pause ();
  void unlisted ();
  void note_name (Uid uid, const std::string &name);
  bool note_member (const protocol::Event &event);
  void told_error (const protocol::ErrorEvent &event, Millis now);
  void published (const protocol::Answer &answer, bool replay);
  bool may_address (const protocol::Publish &publish) const;
  bool is_publishing () const;
  void publish_again (Millis now);
  void note_talk (Uid speaker, bool talk);
  void unpublished ();
  void note_mute (const protocol::Event &event);
  bool is_told_again (const protocol::Event &event);
  void end_doubt ();
  void succeeded (const Pending &pending, const protocol::Answer &answer, Millis now);
  void refused (const Pending &pending, Trouble trouble, Millis now);
  void make_again (protocol::Request request, Millis now);
  void replay (Millis now);
  bool is_wanted (const protocol::Request &request) const;

  void send (Ticket ticket, protocol::Request request, Millis now, bool replay = false);
  void ping (Millis now);
  void report (Millis now);
  void finish (Ticket ticket, std::optional<Trouble> trouble = std::nullopt);
  void finish_all (const Trouble &trouble);
  void unanswered (const Pending &pending);
  void lost (Trouble cause, Millis now);
  void join_failed (Trouble cause, Millis now);
  void retry_later (Trouble cause, Millis now);
  void fail (Trouble trouble);
  void stop (Phase phase);
  void left ();
  bool is_reconnecting () const;
  bool is_joining_again () const;
  std::optional<Millis> give_up_at () const;
  Millis spread (Millis most);
  void ping_later (Millis now);
  protocol::Envelope envelope (std::int64_t seq);
  template <typename What>
  void act (What &&what) {
    actions_.emplace_back(std::forward<What>(what));
  }

  Phase phase_ = Phase::idle;
  std::vector<Action> actions_;
  std::uint32_t random_;

  // The membership.
  std::string app_id_;
  protocol::Role role_ = protocol::Role::audience;
  std::string channel_;
  std::string token_;
  std::string uid_text_;  // what join asked for: decimal, or the account
  int uid_type_ = 0;
  Uid uid_ = 0;
  std::optional<std::vector<Uid>> known_;  // the application's own rejoin
  std::set<Uid> unheard_of_;               // of those: neither added nor removed so far
  std::set<Uid> speakers_;                 // announced to the application
  struct Mutes {
    bool audio = false;
    bool video = false;
    bool any () const { return audio || video; }
  };
  std::map<Uid, Mutes> muted_;  // of speakers_: those that the application was told are muted
  bool published_ = false;
  std::optional<protocol::Codecs> offered_;  // with what was published
  protocol::Addressees to_;                  // whom that is for
  std::map<Uid, std::string> names_;         // of speakers that have one
  // Of names_, those that a rejoin hasn't told again so far: a name comes right before its stream,
  // where there is one still.
  std::set<Uid> unconfirmed_;
  std::map<Uid, std::string> members_;  // what the gateway lists
  bool lists_ = false;                  // and tells changes of
  bool wants_list_ = false;             // the application has asked for it
  unsigned list_tries_ = 0;             // since it was given last
  std::set<Uid> talkbacks_;             // speakers of whom it is so
  Urls push_urls_;
  protocol::Codecs codecs_wanted_;
  std::map<Uid, Subscription> subscriptions_;
  bool local_audio_muted_ = false;
  bool local_video_muted_ = false;
  bool silenced_ = false;
  bool takes_reports_ = false;
  bool knows_talk_ = false;  // the gateway
  Reports reports_;
  std::int64_t reconnects_ = 0;

  // The connection.
  std::string sid_;
  std::string vid_;
  std::int64_t next_seq_ = 2;
  std::int64_t next_request_id_ = 3;
  std::map<std::int64_t, Pending> pending_;
  Ticket join_ticket_ = 0;
  Ticket leave_ticket_ = 0;
  Millis deadline_ = 0;  // joining, rejoining, leaving
  Millis heard_ = 0;
  Millis next_ping_ = 0;
  // What was to be made again and found no answer, or the gateway too busy: for another try.
  struct Again {
    protocol::Request request;
    Millis at = 0;
  };
  std::vector<Again> again_;
  std::vector<protocol::Event> early_;  // came before the answer to join
  // After a rejoin, a muted speaker's stream was told again. How it is muted now comes right after
  // it, if it still is; whatever else comes means that it isn't.
  struct Doubt {
    Uid uid;
    Mutes mutes;  // as the application was told, and not confirmed so far
  };
  std::optional<Doubt> doubt_;

  // The way back, or to a first join.
  Millis lost_at_ = 0;  // of a first join: when it was asked for
  Millis retry_at_ = 0;
  unsigned tries_ = 0;
  Trouble cause_;
};

}  // namespace agora::client
