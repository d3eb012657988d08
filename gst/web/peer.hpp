// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One WebRTC connection with one audio section, in one direction. Who speaks has webrtcbin, with
// what it needs to be told and what it doesn't notice by itself; who hears has listener-peer.
//
//   auto read = read_offer(sdp, Kind::kSpeak);      // a Refusal: nothing was made
//   auto peer = Peer::make(offer, config, callbacks);
//   gst_bin_add(pipeline, peer->bin());             // link its "src" (speak), before:
//   gst_element_set_state(pipeline, GST_STATE_PLAYING);
//   peer->start();                                  // answer() or refused() comes, then
//   connected() peer->close();                                  // no callback any more; push()
//   drops gst_element_set_state(pipeline, GST_STATE_NULL);
//
// All but push() belongs to the thread of the GMainContext that was the thread's default at make();
// the callbacks come there, never from within a call. A callback may close the Peer and destroy it.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/web/offer.hpp"

namespace agora::web {

struct IceServer {
  std::string url;  // stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp], turns:…
  std::string username, credential;
};

struct PeerConfig {
  // Of our own end; those that browsers are told are another matter.
  std::vector<IceServer> ice_servers;
  bool relay_only = false;                    // no candidates but those of TURN
  std::uint16_t low_port = 0, high_port = 0;  // of UDP; 0: any
  std::string public_ip;  // told in place of this machine's own addresses; "": they are told
  // The peer is on this machine: addresses of loopback are told and used too.
  bool loopback = false;
  // It is on a private network: what it names of such addresses is used.
  bool site = false;
};

struct PeerCallbacks {
  std::function<void(std::string sdp)> answer;
  std::function<void(int status, std::string reason)> refused;  // instead of the answer
  std::function<void()> connected;                              // once: ICE and DTLS are through
  std::function<void(std::string reason)> gone;  // once, last: no connection any more
};

struct PeerStats {
  bool connected = false;
  std::uint64_t packets_received = 0, bytes_received = 0;  // RTP, and RTCP
  std::optional<std::uint64_t> packets_lost;               // of the voice of one who speaks
  std::uint64_t packets_sent = 0;                          // of ours, push()ed and passed on
  std::uint64_t packets_dropped = 0;                       // push()ed before it was connected
  std::uint64_t silent_ms = 0;                             // since anything came from the peer
};

class Peer {
 public:
  // Nothing where an element is missing: `error` says which.
  static std::unique_ptr<Peer> make (Offer offer, PeerConfig config, PeerCallbacks callbacks,
                                     std::string &error);
  virtual ~Peer() = default;

  // Speak: has a pad "src" from the beginning, audio/x-raw S16LE at 48 kHz as Opus decodes it, with
  // running times. Hear: has no pads. Goes into a pipeline of its session's own.
  virtual GstElement *bin () = 0;
  // The bin is in a pipeline that is PLAYING.
  virtual void start () = 0;
  // Candidates of the peer that came later. Nothing: taken (204).
  virtual std::optional<Refusal> trickle (std::string_view fragment) = 0;
  // Hear: one packet of Opus, 20 ms. From any thread, and never waits: what comes before the peer
  // is connected is dropped. Its timestamps are of no matter: packets follow each other without a
  // gap unless their arrival shows one, so that the source of the packets may change at any time.
  virtual void push (BufferPtr packet) = 0;
  virtual PeerStats stats () = 0;
  virtual void close () = 0;
  // Nothing is under way in it that its bin's end would disturb. webrtcbin makes elements on a
  // thread of its own: those that come while it is stopped stay, with their sockets.
  virtual bool is_settled () const = 0;
};

// Loads what peers need, and makes DTLS's first key, so that the first peer is as quick as others.
// False where an element is missing: `error` says which, and the package that brings it.
bool warm_up (std::string &error);

}  // namespace agora::web
