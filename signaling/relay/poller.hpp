// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The one loop: epoll, level-triggered. One thread.
#pragma once

#include <cstdint>

namespace agora::relay {

// Monotonic, milliseconds.
std::int64_t monotonic_ms ();

// Who is told of what a descriptor is ready for. Must stay alive until the turn of the loop ends
// in which it was removed.
class Ready {
 public:
  Ready() = default;
  Ready(const Ready &) = delete;
  Ready &operator=(const Ready &) = delete;
  virtual ~Ready() = default;
  virtual void on_ready (std::uint32_t events) = 0;
};

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller &) = delete;
  Poller &operator=(const Poller &) = delete;

  // False: no memory for it.
  bool add (int fd, std::uint32_t events, Ready &who);
  void change (int fd, std::uint32_t events, Ready &who);
  void remove (int fd);
  // Waits, and tells everybody once. -1: without a limit.
  void turn (int timeout_ms);
  // When wait ended that the present turn began with.
  std::int64_t now () const { return now_; }

 private:
  int fd_;
  std::int64_t now_;
};

}  // namespace agora::relay
