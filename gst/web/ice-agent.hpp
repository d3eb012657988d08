// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// webrtcbin's ICE agent, libnice's, as far as webrtcbin doesn't set it up itself. Each function
// asks webrtcbin for the agent anew: one that is kept outlives its sockets' thread. Any thread.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/web/candidate.hpp"
#include "gst/web/peer.hpp"

typedef struct _NiceAgent NiceAgent;

namespace agora::web {

// Before any description is set.
void set_up_agent (GstElement *webrtcbin, const PeerConfig &config);

// Calls `done` with `data`, on the agent's thread, once all candidates of ours are known.
void on_gathered (GstElement *webrtcbin, GCallback done, gpointer data, GClosureNotify destroy);

// "candidate:…", as far as they are known by now.
std::vector<std::string> local_candidates (GstElement *webrtcbin);
std::vector<std::string> local_candidates (NiceAgent *agent, guint stream);

// A server of config.ice_servers, as far as libnice can use it: it has no TLS, so that "stuns:" and
// "turns:" are for browsers alone.
struct ServerAddress {
  bool turn = false;
  std::string host;
  unsigned port = 0;
  bool tcp = false;  // turn
};
std::optional<ServerAddress> server_address (const std::string &url);

// Before candidates are gathered. Names of servers are looked up meanwhile. Of STUN servers an
// agent has one, the last; of TURN servers the first eight.
void use_servers (NiceAgent *agent, guint stream, const PeerConfig &config);

Reach reach_of_peer (const PeerConfig &config);

}  // namespace agora::web
