// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The worker's end of its line to the gateway: a socket of packets (signaling/protocol/web-line),
// on the main loop. Never waits: what doesn't fit is kept, and what is kept is bounded.
#pragma once

#include <glib.h>

#include <functional>
#include <string>

#include "signaling/protocol/web-line.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/packet-socket.hpp"

namespace agora::web {

class Line {
 public:
  using Told = std::function<void(const web_line::ToWorker &)>;

  // `told`: each message of the gateway. `over`, once: the gateway is gone, broke the line's rules,
  // or reads nothing any more; it may not destroy the Line.
  Line(int fd, Told told, std::function<void()> over);
  Line(const Line &) = delete;
  Line &operator=(const Line &) = delete;

  // False: the message can't travel (a text that is no UTF-8, say).
  bool send (const web_line::ToGateway &message);
  // The same for what is of no use later (levels): left out while the gateway is behind.
  void send_if_prompt (const web_line::ToGateway &message);
  // The same for what strangers have any amount of, and nobody waits for (words): left out while
  // the gateway is so far behind that these alone might end the line. False: it was.
  bool send_if_room (const web_line::ToGateway &message);

 private:
  static gboolean on_readable (gint fd, GIOCondition condition, gpointer self);
  static gboolean on_writable (gint fd, GIOCondition condition, gpointer self);
  void read ();
  void write ();
  void watch_room ();
  void end ();

  PacketSocket socket_;
  const Told told_;
  const std::function<void()> over_;
  SourcePtr reading_;
  SourcePtr writing_;  // while something is unsent
  bool ended_ = false;
};

}  // namespace agora::web
