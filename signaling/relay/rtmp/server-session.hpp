// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The server's side of one RTMP connection: bytes of the peer in; events, and bytes for the peer,
// out. Pure: no socket, no clock. One thread. docs/relay.md has its states as a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "signaling/relay/rtmp/chunk-writer.hpp"
#include "signaling/relay/rtmp/message.hpp"

namespace agora::relay::rtmp {

// What a publish or a play asks for.
struct Opened {
  std::uint32_t stream = 0;  // message stream id; the first is 1, none comes twice in a connection
  std::string app;           // of connect, without "?…" and without a slash at its end
  std::string name;          // without "?…"
  std::string args;          // what follows the name's "?"; if there is none, the app's or tcUrl's
};

class ServerSession {
 public:
  // Called from within feed(). They may call accept(), refuse() and the other calls that write, but
  // neither feed() nor the session's end.
  class Events {
   public:
    // Answer by accept() or refuse(), at once or later. At most one of them is unanswered.
    virtual void on_publish (const Opened &opened) = 0;
    virtual void on_play (const Opened &opened) = 0;
    // Of an accepted publish. The payload is valid until it returns. Data is readable AMF0, no
    // deeper than 8, its "@setDataFrame" taken off. Aggregates come as their parts.
    virtual void on_media (std::uint32_t stream, const MediaMessage &message) = 0;
    // The peer has ended an accepted publish or play: deleteStream, closeStream, FCUnpublish,
    // publish or play of false, or another play on the same stream. The end of the connection
    // doesn't come here. While one is unanswered its end is held, as everything is.
    virtual void on_closed (std::uint32_t stream) = 0;
    // Of an accepted play.
    virtual void on_pause (std::uint32_t /*stream*/, bool /*paused*/) {}
    virtual void on_receive_audio (std::uint32_t /*stream*/, bool /*wanted*/) {}
    virtual void on_receive_video (std::uint32_t /*stream*/, bool /*wanted*/) {}
    // The answer to ping(), with its time.
    virtual void on_pong (std::uint32_t /*ms*/) {}

   protected:
    ~Events() = default;
  };

  // `limits` has to outlive the session. `seed` varies what the handshake calls random; `ms` is the
  // time of the connection's begin, in the handshake for the peer's own use.
  explicit ServerSession(const Limits &limits, std::uint64_t seed = 0, std::uint32_t ms = 0);
  ~ServerSession();
  ServerSession(const ServerSession &) = delete;
  ServerSession &operator=(const ServerSession &) = delete;

  // Bytes of the peer, in any pieces. False: the peer broke a rule, reason() says which; close the
  // connection (what take_output() still has may be sent).
  // While a publish or play is unanswered (waiting()), nothing that follows it is looked at: it is
  // held, up to Limits::held_bytes. So read no more from the peer then, and after accept() or
  // refuse() call feed({}, events).
  bool feed (Bytes bytes, Events &events);
  bool waiting () const;
  // In plain English, for the log; holds nothing that the peer wrote.
  const std::string &reason () const;

  // Bytes for the peer that feed() and the calls below have written. To be called after each of
  // them; before what encode_media() made for this peer later on.
  std::string take_output ();
  bool has_output () const;

  // Answers a publish or a play. Of a stream that doesn't wait for one: nothing happens.
  void accept (std::uint32_t stream);
  // By the status `code` ("NetStream.Publish.BadName"), with a text for a human. The connection
  // goes on; what the peer sends on that stream is left out.
  void refuse (std::uint32_t stream, std::string_view code, std::string_view text);
  // To a player: the push that it hears has begun (StreamBegin), has ended (StreamEOF, which ends
  // rtmp2src). Any number of times; a play can be accepted before there is a push.
  void push_began (std::uint32_t stream);
  void push_ended (std::uint32_t stream);
  // PingRequest with the time of the owner's clock.
  void ping (std::uint32_t ms);

  // Connected, and the handshake before that is done.
  bool connected () const;
  std::uint64_t bytes_in () const;
  // Memory beside the object itself, for limits and tests.
  std::size_t held_memory () const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The name of a data message that on_media() brought ("onMetaData"); empty if there is none.
std::string_view data_name (Bytes payload);

}  // namespace agora::relay::rtmp
