// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Those who watch the channels live. However many they are, what they see is worked out once a
// second. Main loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "signaling/gateway/http/event-streams.hpp"
#include "signaling/gateway/http/peer-watch.hpp"
#include "signaling/gateway/operator/live-view.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class LiveWatch {
 public:
  static constexpr std::size_t most_watchers = 32;

  // `look`: how the gateway is.
  LiveWatch(const ChannelBook &book, bool shared, std::function<LiveGateway()> look);
  LiveWatch(const LiveWatch &) = delete;
  LiveWatch &operator=(const LiveWatch &) = delete;

  // How things stand, or stood less than a second ago.
  const std::string &all ();
  bool full () const { return since_.size() >= most_watchers; }
  std::size_t watchers () const { return since_.size(); }
  // Sends `head`, and then events. Not when full().
  void open (GIOStream *stream, GSocket *socket, const std::string &head);
  // Whoever still may will come back.
  void end ();

 private:
  void tick ();
  void arm ();

  LiveView view_;
  const std::function<LiveGateway()> look_;
  PeerWatch watch_;
  EventStreams streams_;
  std::unordered_map<EventSink *, std::int64_t> since_;  // monotonic, us
  std::string all_;                                      // as of all_at_
  std::int64_t all_at_ = 0;                              // monotonic, us; 0: nothing
  std::shared_ptr<const std::string> first_;  // the same as an event; null: not asked for yet
  Timer pulse_;
  std::int64_t due_ = 0;  // monotonic, us; 0: nobody watches
};

}  // namespace agora::gateway
