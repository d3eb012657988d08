// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The socket that an rtmp2sink or rtmp2src opens, to which neither gives access: no Nagle (it costs
// over 100 ms at the start), a small send buffer (the kernel's would hide a stalled peer for
// minutes), a limit for unacknowledged data; what it has taken; a way to end it, and an end where
// no media comes. With rtmps:// also whose certificates count, and why one was refused.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "gst/common/authorities.hpp"
#include "gst/common/gst-ptr.hpp"

namespace agora {

// What the kernel holds of a connection: bytes that the peer's has taken, and those that it hasn't.
struct Sending {
  std::uint64_t taken = 0;
  std::uint64_t waiting = 0;
};

// When media came last, in us of g_get_monotonic_time(); 0 before.
using LastMedia = std::atomic<gint64>;

using Deadline = std::chrono::steady_clock::time_point;

// What await_told() may take from now on, for as many connections as there are: a stop waits for
// more than this, and has half a second.
Deadline told_by ();

// One element's connection. A process-wide hook knows it by the element's time-out, which is a
// mark, and by where it connects to; the connection's own time-out is the usual one. The hook never
// goes away, and touches no other connection. Thread-safe.
class RtmpSocket {
 public:
  RtmpSocket();
  ~RtmpSocket();
  RtmpSocket(const RtmpSocket &) = delete;
  RtmpSocket &operator=(const RtmpSocket &) = delete;

  // Right before it is started, with its location set: it is this element's connection from then
  // on. `authorities` count for rtmps:// alone. With `media`, which must be there until the element
  // is stopped, the connection ends as if by the peer some 100 ms after no media has come for
  // idle_us, counted from when its first address is tried.
  void apply (GstElement *element, AuthoritiesPtr authorities = nullptr,
              const LastMedia *media = nullptr);

  // That no TLS is to be had with this server, for good: a certificate that isn't trusted, as an
  // AGORA_ERROR_UNTRUSTED that says why, or no TLS on this machine. nullptr: nothing of the kind.
  // What the element says of it itself is less.
  ErrorPtr refusal () const;

  // Nothing before it is connected.
  std::optional<Sending> sending () const;
  // Ends the connection as the peer could, as soon as there is one; the element's own thread does.
  //
  // An rtmp2sink or rtmp2src (1.22) that is stopped
  //   - between its handshake and the server's word lets its main loop end without closing, and the
  //     socket stays open for ever, with the loop's eventfd and memory;
  //   - as the connection is made, forgets the connection, and the socket stays open for ever;
  //   - while it is being made, forgets the error that says so.
  // With the end of the connection before its eyes it tidies up first.
  void cut ();
  // Waits until the connect attempt has finished. Prompt after cut(), except during DNS.
  void await_told (Deadline until);

  // A media server that sends nothing for so long is frozen, or the way to it is: members send
  // silence, too.
  static constexpr gint64 idle_us = 3 * G_USEC_PER_SEC;

 private:
  const guint mark_;
};

// For an rtmp2sink of ours: what comes goes out at once, and a frame in one chunk, so in one
// packet; RTMP's default of 128 bytes cuts each in several.
void set_for_push (GstElement *element);

// A counter of `element`, an rtmp2sink or rtmp2src. "in-bytes-total" is 0 until the server has
// admitted it.
guint64 stat_of (GstElement *element, const char *name);

}  // namespace agora
