// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Event streams that are open, on connections that libsoup has given up: it has no bound for what
// waits to be sent, and doesn't notice that a reader goes. Main loop only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "signaling/gateway/http/event-sink.hpp"
#include "signaling/gateway/http/peer-watch.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class EventStreams {
 public:
  // `closed`: the reader has gone, or reads too slowly, with more than `most_bytes` waiting. Not
  // from within a call of ours.
  EventStreams(PeerWatch &watch, std::size_t most_bytes,
               std::function<void(EventSink &sink)> closed);
  ~EventStreams();
  EventStreams(const EventStreams &) = delete;
  EventStreams &operator=(const EventStreams &) = delete;

  // Sends `head`, the beginning of the answer. The sink lives until it is ended or closed.
  EventSink &open (GIOStream *stream, GSocket *socket, const std::string &head);
  std::size_t open_now () const { return streams_.size(); }

 private:
  class Stream;
  void look_soon ();
  void look ();

  PeerWatch &watch_;
  const std::size_t most_bytes_;
  const std::function<void(EventSink &sink)> closed_;
  std::unordered_map<EventSink *, std::unique_ptr<Stream>> streams_;
  Timer pulse_;
  bool soon_ = false;
};

}  // namespace agora::gateway
