// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One RTMP connection: its socket, its protocol, what it has still to send, and what it pushes and
// plays. Made to be small: nothing of it is a buffer while nothing waits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/relay/admission.hpp"
#include "signaling/relay/media-session.hpp"
#include "signaling/relay/poller.hpp"
#include "signaling/relay/rtmp/server-session.hpp"
#include "signaling/relay/send-queue.hpp"
#include "signaling/support/tls.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::relay {

class Server;

class Connection final : public Ready, private rtmp::ServerSession::Events {
 public:
  // Owns the descriptor. `identity`: of RTMPS; without one, plain RTMP. `guest`: another worker of
  // the same gateway.
  Connection(Server &server, int fd, const TlsIdentity::Ptr &identity, bool guest);
  ~Connection() override;

  bool start ();
  void on_ready (std::uint32_t events) override;

  // Of one of its sessions. `reason`: for the peer's eyes.
  void answer (MediaSession &session, bool allow, const std::string &reason);
  // Ends it at once. `discard`: listeners don't hear what of its push is unsent. Never from within
  // the hub's calls: those doom() it.
  void end (bool discard = false);
  bool ended () const { return fd_ < 0; }
  bool is_guest () const { return guest_; }

  // From the hub.
  void send (PlaySession &to, std::span<const PacketRef> packets);
  void push_began (PlaySession &to);
  void push_ended (PlaySession &to, bool discard);
  // Of a steady play.
  void note_time (PlaySession &of, std::uint32_t time) const;
  std::uint32_t time_of (const PlaySession &of) const;

  // The peer's, for the gateway and the log.
  std::string address () const;
  // Ends it with this turn of the loop. Whether it was to end already.
  bool doom () { return std::exchange(doomed_, true); }
  Admission::Place &place () { return place_; }

 private:
  void on_publish (const rtmp::Opened &opened) override;
  void on_play (const rtmp::Opened &opened) override;
  void on_media (std::uint32_t stream, const rtmp::MediaMessage &message) override;
  void on_closed (std::uint32_t stream) override;
  void on_pause (std::uint32_t stream, bool paused) override;
  void on_pong (std::uint32_t ms) override;
  void on_receive_audio (std::uint32_t stream, bool wanted) override;
  void on_receive_video (std::uint32_t stream, bool wanted) override;

  bool read ();
  void read_tls (rtmp::Bytes ciphertext);
  void feed (rtmp::Bytes bytes);
  void open (std::unique_ptr<MediaSession> session, const rtmp::Opened &opened);
  void refuse (MediaSession &session, const char *code, const std::string &text);
  void forget (std::size_t index, bool discard);
  std::size_t index_of (std::uint32_t stream) const;
  PlaySession *play_of (std::uint32_t stream) const;

  void ask_whether_it_reads ();
  void write_answers ();
  void queue (std::span<const PacketRef> packets);
  void lost (const SendQueue::Loss &loss);
  void cut ();
  std::size_t write_now (std::span<const PacketRef> packets);
  void flush ();
  void flush_plain ();
  void flush_tls ();
  bool written (ssize_t size);
  std::uint32_t wanted_events () const;
  void watch ();

  // What each frame needs comes first: the hub has it fetched ahead of send().
  Server &server_;
  int fd_;
  std::uint32_t watched_ = 0;
  bool doomed_ = false;
  const bool guest_;
  bool finishing_ = false;  // what is unsent goes out, then it ends
  bool shut_ = false;       // that has gone out
  // A player that doesn't read: see ask_whether_it_reads().
  bool still_ = false;
  bool answers_pings_ = false;
  std::int64_t pinged_ = 0;  // 0: no ping is unanswered
  std::int64_t next_ping_ = 0;
  std::unique_ptr<Tls> tls_;
  SendQueue queue_;
  Admission::Place place_;
  rtmp::ServerSession session_;
  std::vector<std::unique_ptr<MediaSession>> media_;
  TokenBucket asks_;
};

}  // namespace agora::relay
