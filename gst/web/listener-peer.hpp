// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A Peer that hears, without webrtcbin, whose six threads are too many for a listener: ICE is
// libnice's, on one thread for all of them, DTLS and SRTP are GStreamer's elements, which need one
// thread each. What the peer sends but for ICE and DTLS isn't looked at.
#pragma once

#include <memory>
#include <string>

#include "gst/web/peer.hpp"

namespace agora::web {

std::unique_ptr<Peer> make_listener_peer (Offer offer, PeerConfig config, PeerCallbacks callbacks,
                                          std::string &error);

}  // namespace agora::web
