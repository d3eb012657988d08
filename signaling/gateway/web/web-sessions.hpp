// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The sessions of WHIP and WHEP: requests and the workers' words go in, answers and messages for
// the workers come out. No I/O; time is an argument. Main loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "signaling/gateway/http/event-sink.hpp"
#include "signaling/gateway/web/http-message.hpp"
#include "signaling/gateway/web/session-state.hpp"
#include "signaling/gateway/web/whip-request.hpp"
#include "signaling/protocol/web-line.hpp"
#include "signaling/support/timer-queue.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

struct WebRules {
  std::vector<std::string> allow_origins;
  std::vector<web_line::IceServer> ice_servers;
  unsigned offers_per_second = 20;  // of one network; bursts of twice as many pass
  unsigned offers_waiting = 128;    // for agora-web, in all: each is some 15 ms of its work
  unsigned offer_ms = 8000;         // time for the worker's answer
  unsigned call_ms = 8000;          // the same, of calls and trickled candidates
  unsigned stream_back_ms = 5000;   // time for an event stream that broke to come back
};

// What the sessions need of the rest of the gateway.
class WebSurroundings {
 public:
  virtual ~WebSurroundings() = default;
  virtual bool serves (std::string_view app) const = 0;
  virtual bool draining () const = 0;
  // To agora-web. Each of these is as in WebWorkers.
  virtual std::uint64_t next_session () = 0;
  virtual std::optional<web_line::Refuse> offer (const web_line::Offer &offer) = 0;
  virtual unsigned trickle (const web_line::Trickle &trickle) = 0;
  virtual unsigned call (const web_line::Call &call) = 0;
  virtual void listen (const web_line::Listen &listen) = 0;
  virtual void end (std::uint64_t session) = 0;
  // Until agora-web may serve again; 0: at once, or not known.
  virtual unsigned pause_ms () const = 0;
};

class WebSessions {
 public:
  using Reply = std::function<void(WebAnswer answer)>;
  // Of a request that waits for the worker.
  using Ticket = std::uint64_t;
  struct StreamPlace {
    std::uint64_t session = 0;
    unsigned stream = 0;
  };
  struct Counts {
    std::size_t speak = 0;
    std::size_t hear = 0;
    std::size_t streams = 0;
    std::map<unsigned, std::uint64_t> offers;  // answered so far, by status
  };

  WebSessions(WebRules rules, WebSurroundings &around)
      : rules_(std::move(rules)), around_(around) {}
  WebSessions(const WebSessions &) = delete;
  WebSessions &operator=(const WebSessions &) = delete;

  void set_rules (WebRules rules) { rules_ = std::move(rules); }
  // Whether the page that asks may ask at all.
  bool may_ask (const WebRequest &request) const;
  // Calls `reply` once: before it returns, and then the ticket is 0, or later.
  Ticket ask (const WebRequest &request, const Reply &reply);
  // Whoever asked is gone, and there won't be a reply.
  void gone (Ticket ticket);

  // Whether it is a GET for an event stream, to be opened; else ask() answers it.
  std::optional<StreamPlace> wants_stream (const WebRequest &request);
  // It is told how things stand, and from now on what takes place.
  void stream_opened (const StreamPlace &place, EventSink &sink);
  // The reader is gone.
  void stream_closed (EventSink &sink, std::int64_t mono_ms);

  void told (const web_line::Answer &message);
  void told (const web_line::Refuse &message);
  void told (const web_line::Trickled &message);
  void told (const web_line::Called &message);
  void told (const web_line::Event &message);
  void told (const web_line::Ended &message);
  // All of them end.
  void stop ();

  std::optional<std::int64_t> next_deadline () const { return deadlines_.next(); }
  void tick (std::int64_t mono_ms);
  Counts counts () const;

 private:
  struct Stream {
    std::set<std::string, std::less<>> names;  // empty: all
    EventSink *sink = nullptr;                 // null: nobody reads
  };
  struct Session {
    std::uint64_t number = 0;
    web_line::Kind kind = web_line::Kind::hear;
    std::uint64_t member = 0;  // the session that it belongs to; 0: none
    std::uint64_t speak = 0;   // the one that belongs to it
    std::string id;
    std::string app;
    std::string channel;
    std::string network;
    std::string address;
    std::string etag;
    std::vector<std::string> ufrags;
    Ticket offer = 0;  // 0: answered
    protocol::Uid uid = 0;
    bool token_shown = false;
    SessionState state;
    std::map<unsigned, Stream> streams;
    unsigned last_stream = 0;
    bool listens = false;  // the worker was told that somebody reads levels
  };
  struct Waiting {
    std::uint64_t session = 0;
    Reply reply;
  };
  struct Allowance {
    TokenBucket offers;
    TokenBucket requests;
  };
  // The end of a wait: for a reply, or for an event stream of a session.
  using Deadline = std::variant<Ticket, std::pair<char, std::uint64_t>>;

  std::optional<WebAnswer> answer (const WebRequest &request, const Reply &reply, Ticket &ticket);
  std::optional<WebAnswer> offer (const WebTarget &target, const WebRequest &request,
                                  const Reply &reply, Ticket &ticket);
  std::optional<WebAnswer> patch (Session &session, const WebRequest &request, const Reply &reply,
                                  Ticket &ticket);
  std::optional<WebAnswer> call (Session &session, const WebRequest &request, const Reply &reply,
                                 Ticket &ticket);
  WebAnswer subscribe (const WebTarget &target, Session &session, const WebRequest &request);
  WebAnswer created (const Session &session, const std::string &sdp) const;
  Allowance &allowance (const std::string &network, std::int64_t mono_ms);
  Ticket wait (Session &session, const Reply &reply, std::int64_t until);

  static std::string hash_of (std::string_view id);
  Session *find (std::string_view id);
  Session *find (std::uint64_t number);
  void reply (Ticket ticket, WebAnswer answer);
  void tell (Session &session, const StreamEvent &event);
  void end_stream (Stream &stream);
  void say_who_listens (Session &session);
  // The worker is told, too, where `at_worker`.
  void end (std::uint64_t number, int code, const std::string &why, bool at_worker);
  void unanswered (Session &session, unsigned status, int code, const std::string &why);

  WebRules rules_;
  WebSurroundings &around_;
  std::map<std::uint64_t, Session> sessions_;
  // By a hash of the id, so that how long a look-up takes tells nothing about ids.
  std::unordered_map<std::string, std::uint64_t> by_id_;
  std::unordered_map<std::string, Allowance> allowances_;
  std::map<Ticket, Waiting> waiting_;
  std::unordered_map<EventSink *, std::uint64_t> sinks_;  // the session of each that is open
  TimerQueue<Deadline> deadlines_;                        // monotonic, ms
  std::map<unsigned, std::uint64_t> offers_;
  unsigned offering_ = 0;  // offers that wait for their answers
  Ticket last_ticket_ = 0;
};

}  // namespace agora::gateway
