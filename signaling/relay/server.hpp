// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The relay as a whole: listening sockets, connections, the hub, the line to the gateway. Decides
// nothing: the gateway is asked. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "signaling/relay/admission.hpp"
#include "signaling/relay/connection.hpp"
#include "signaling/relay/hub.hpp"
#include "signaling/relay/line.hpp"
#include "signaling/relay/poller.hpp"
#include "signaling/relay/pulls.hpp"
#include "signaling/support/tls.hpp"

namespace agora::relay {

class Door;

// For what the handshake calls random.
std::uint64_t draw_seed ();

class Server {
 public:
  struct Sockets {
    int line = 3;
    std::vector<int> rtmp;
    std::vector<int> rtmps;
  };
  explicit Server(const Sockets &sockets);
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  // Until the line ends or `stop` is told by a signal.
  void run ();
  void stop () { over_ = true; }
  Poller &poller () { return poller_; }

  // For connections.
  Hub &hub () { return hub_; }
  std::int64_t now () const { return poller_.now(); }
  const relay_line::Limits &limits () const { return limits_; }
  const SendLimits &send_limits () const { return send_limits_; }
  const rtmp::Limits &rtmp_limits () const { return rtmp_limits_; }
  // One buffer for what all of them read.
  std::span<std::uint8_t> read_buffer () { return read_buffer_; }
  std::uint64_t next_number () { return ++last_number_; }
  // Whether one more step of a TLS handshake fits this turn of the loop.
  bool take_handshake () { return handshakes_left_ > 0 && handshakes_left_-- > 0; }
  bool ask (MediaSession &session, const rtmp::Opened &opened);
  void admitted (MediaSession &session);
  void done (MediaSession &session);
  void refused (relay_line::Refusal why, const Connection &whose, const std::string &text);
  void doom (Connection &connection);
  // A line of the gateway's log.
  void warn (std::string text) { line_.log(relay_line::Level::warning, std::move(text)); }
  void bury (Connection &connection);
  void bury (std::unique_ptr<Upstream> upstream) { ended_.push_back(std::move(upstream)); }
  Pulls &pulls () { return pulls_; }
  const std::string &app () const { return app_; }
  // What origins' certificates are checked by; null: nothing is.
  const TlsTrust::Ptr &trust () const { return trust_; }
  // Asks for a socket to there; the number of the answer.
  std::uint64_t dial (const std::string &stream, const std::string &address);
  void tell (const relay_line::ToGateway &message) { line_.send(message); }
  // Cuts all who listen to the stream, or have paused it.
  void drop_plays (const std::string &stream);
  Admission &admission () { return admission_; }
  relay_line::Counters counters;

 private:
  friend class Door;
  void on_line (const relay_line::ToRelay &message, Descriptor socket);
  void told (const relay_line::Configure &message);
  void told (const relay_line::Trust &message);
  void told (const relay_line::Answer &message);
  void told (const relay_line::Drop &message);
  void told (const relay_line::Move &message);
  void told (const relay_line::Ping &message);
  void told (const relay_line::ListSessions &message);
  void told (const relay_line::Link &message, Descriptor socket);
  void told (const relay_line::Guest &message, Descriptor socket);
  void drop_push (const relay_line::Drop &message);
  void drop_play (std::uint64_t number);
  template <typename Meant>
  void cut_plays (Meant meant);
  static void rename (MediaSession &session, const std::string &name);
  void answer_guests ();
  void ask_next ();
  // So many wait for the gateway's word that others are better off in the kernel's queue.
  bool busy () const { return admission_.asking() >= most_asking; }
  void open_doors ();
  void set_identity (const relay_line::Configure &message);
  enum class Via { rtmp, rtmps, worker };
  void welcome (int fd, const Network &network, Via via);
  void tick ();
  void report ();
  void stood_still ();
  void end_turn ();

  Poller poller_;
  Line line_;
  Hub hub_;
  Pulls pulls_{*this};
  Admission admission_;
  relay_line::Limits limits_;
  SendLimits send_limits_;
  rtmp::Limits rtmp_limits_;
  TlsIdentity::Ptr identity_;  // of RTMPS; nothing before it is told
  std::string certificate_, key_;
  TlsTrust::Ptr trust_;
  int handshakes_left_ = 0;
  std::vector<std::uint8_t> read_buffer_;
  const std::size_t descriptors_;  // as many as this process may have
  std::vector<std::unique_ptr<Door>> doors_;
  std::unordered_map<Connection *, std::unique_ptr<Connection>> connections_;
  std::unordered_map<std::uint64_t, MediaSession *> sessions_;
  std::vector<PushSession *> pushes_;  // admitted ones
  // Asked and not answered; the others wait their turn.
  std::unordered_set<std::uint64_t> asked_;
  std::deque<relay_line::Ask> unasked_;
  static constexpr std::size_t most_asking = 512;
  std::vector<Connection *> doomed_;
  std::vector<std::unique_ptr<Connection>> buried_;
  std::vector<std::unique_ptr<Upstream>> ended_;
  std::vector<std::uint64_t> guests_;  // their plays, which wait for their yes
  std::size_t plays_ = 0;              // of others, paused ones too
  std::uint64_t dials_ = 0;
  std::string app_;
  std::uint64_t last_number_ = 0;
  std::int64_t next_tick_ = 0;
  std::uint32_t report_ms_ = 0;  // 0: nobody wants to know
  std::int64_t next_report_ = 0;
  bool over_ = false;
};

}  // namespace agora::relay
