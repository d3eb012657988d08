// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which peers have gone, and which sockets have room again: one source of the main loop, over
// epoll, for all of them, since a GMainContext looks at each of its sources at every wake-up
// (front/readiness.hpp). Main loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class PeerWatch {
 public:
  using Id = std::uint64_t;
  struct Callbacks {
    std::function<void()> gone;  // it closed its side, or the connection broke
    std::function<void()> room;  // after want_room(): something can be sent
  };

  PeerWatch();
  ~PeerWatch();
  PeerWatch(const PeerWatch &) = delete;
  PeerWatch &operator=(const PeerWatch &) = delete;

  // 0: it can't be watched, and nothing is called.
  Id add (int fd, Callbacks callbacks);
  void want_room (Id id, bool wanted);
  // To be called before `fd` is closed.
  void remove (Id id);

 private:
  struct Peer {
    int fd = -1;
    bool wants_room = false;
    Callbacks callbacks;
  };
  static gboolean on_ready (gint, GIOCondition, gpointer self) noexcept;
  void dispatch ();

  const int epoll_;
  SourcePtr source_;
  std::unordered_map<Id, Peer> peers_;
  Id last_id_ = 0;
};

}  // namespace agora::gateway
