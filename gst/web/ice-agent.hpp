// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// webrtcbin's ICE agent, libnice's, as far as webrtcbin doesn't set it up itself. Each function
// asks webrtcbin for the agent anew: one that is kept outlives its sockets' thread. Any thread.
#pragma once

#include <gst/gst.h>

#include <cstdint>
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

// When the last packet came to the socket in use, STUN's own among them, which never leave the
// agent: microseconds of the wall clock. 0: not known.
std::int64_t last_packet_time (GstElement *webrtcbin);
std::int64_t last_packet_time (NiceAgent *agent, guint stream);

Reach reach_of_peer (const PeerConfig &config);

}  // namespace agora::web
