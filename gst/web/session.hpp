// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One WebRTC connection of a member: it speaks or it hears (Speaking, Hearing). Main loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gst/web/codes.hpp"
#include "gst/web/peer.hpp"
#include "gst/web/pipeline.hpp"
#include "signaling/protocol/web-line.hpp"

namespace agora::web {

class Audiences;
class Member;
class Session;

// What a session finds around itself: the worker. None of it calls the session.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual void send (const web_line::ToGateway &message) = 0;
  virtual void send_if_prompt (const web_line::ToGateway &message) = 0;
  virtual bool send_if_room (const web_line::ToGateway &message) = 0;
  virtual PeerConfig peer_config (const std::string &address) const = 0;
  virtual const web_line::Configure &configuration () const = 0;
  virtual Audiences &audiences () = 0;
  // It has ended, by itself: `status` of HTTP where no code says it. The session is closed, and
  // gone when this returns but for who holds it.
  virtual void over (Session &session, const Trouble &trouble, unsigned status = 0) = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  // What was offered, by whom: nothing is made of it before it is admitted.
  struct Wanted {
    Offer offer;
    std::string address;
  };

  Session(Surroundings &around, std::uint64_t number, std::shared_ptr<Member> member,
          Wanted wanted);
  virtual ~Session();

  std::uint64_t number () const { return number_; }
  Kind kind () const { return wanted_.offer.kind; }
  Member &member () const { return *member_; }
  const std::shared_ptr<Member> &shared_member () const { return member_; }
  bool is_answered () const { return answered_; }
  bool is_connected () const { return connected_; }
  bool is_closed () const { return closed_; }
  bool listens () const { return listens_; }

  // Its member is in the channel, and it may be there: only now is a connection made of what was
  // offered, so that who is turned away has made no thread, and nothing send a packet to whom a
  // candidate names. The answer goes out when there is one.
  void admit (std::uint32_t uid);
  std::optional<Refusal> trickle (std::string_view fragment);
  PeerStats peer_stats () { return peer_ ? peer_->stats() : PeerStats(); }

  // Whether anybody reads its events.
  virtual void listen (bool on) { listens_ = on; }
  // Whether it has asked who is in the channel, and is told of changes.
  bool lists () const { return lists_; }
  void list () { lists_ = true; }
  void tell (const char *name, std::string text);
  // Left out where the gateway is far behind.
  bool tell_if_room (const char *name, std::string text);

  // No callback follows. `stopped` runs when nothing of it plays any more.
  virtual void close (std::function<void()> stopped = {});

 protected:
  virtual void prepare () {}
  virtual void admitted () {}
  // Left out where the gateway is behind, or nobody reads.
  void tell_if_prompt (const char *name, std::string text);
  Surroundings &around () const { return around_; }
  Peer *peer () const { return peer_.get(); }
  Pipeline &pipeline () const { return *pipeline_; }

 private:
  // False: `error` says what is missing.
  bool open (std::string &error);
  void answer ();
  void on_connected ();
  void fail (const GError &error);

  Surroundings &around_;
  const std::uint64_t number_;
  const std::shared_ptr<Member> member_;
  const Wanted wanted_;
  std::unique_ptr<Peer> peer_;  // once admitted
  std::unique_ptr<Pipeline> pipeline_;
  std::string sdp_;        // our answer, until it is sent
  std::uint32_t uid_ = 0;  // once admitted
  bool answered_ = false;
  bool closed_ = false;
  bool connected_ = false;
  bool listens_ = false;
  bool lists_ = false;
  SourcePtr opening_;  // runs until it is connected
};

}  // namespace agora::web
