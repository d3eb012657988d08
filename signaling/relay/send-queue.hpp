// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a connection has still to send, and what of it is left out when its peer falls behind: the
// oldest whole frames, never headers, metadata or answers. A frame that has gone in part goes on.
// Pure. Takes no memory while it is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "signaling/relay/packet.hpp"

namespace agora::relay {

struct SendLimits {
  std::uint32_t lag_ms = 1000;        // of media time between the oldest frame and the newest
  std::size_t media_bytes = 1 << 20;  // frames beyond this are left out
  // With this much unsent that can't be left out, the peer is to be given up: headers, metadata,
  // answers. A stream's own are 64 KiB at most.
  std::size_t most_kept = 256 << 10;
};

class SendQueue {
 public:
  bool empty () const { return packets_.empty(); }
  std::size_t bytes () const { return bytes_ - sent_; }
  // What can't be left out, by what it takes of memory.
  std::size_t kept () const { return kept_; }

  // `sent`: so many bytes of it have gone already; only for the first one.
  void push (PacketRef packet, std::size_t sent = 0);

  struct Loss {
    unsigned frames = 0;
    unsigned video_streams = 0;  // bit n: stream n lost video, and goes on with a key frame
  };
  // Leaves out what is too late. To be called after push() of media.
  Loss trim (const SendLimits &limits);
  // Leaves out each whole frame, of one stream.
  Loss clear_media (std::uint32_t stream);

  // What to send next: the bytes of up to `most` packets. The first one may begin in its middle.
  std::size_t peek (std::span<const Packet *> packets, std::size_t &first_from) const;
  // The same as copied bytes, as many as fit. How many they are.
  std::size_t copy (std::span<std::uint8_t> bytes) const;
  // So much was sent. `counted`: as sent to a listener of each stream.
  void advance (std::size_t bytes, bool counted = true);

 private:
  template <typename Late>
  Loss leave_out (Late late);
  // Whether a packet has not gone in part.
  bool whole (std::size_t index) const { return index > first_ || sent_ == 0; }
  void release ();

  std::vector<PacketRef> packets_;
  std::size_t first_ = 0;  // those before it are gone
  std::size_t sent_ = 0;   // of the first one
  std::size_t bytes_ = 0;  // of all from the first one on
  std::size_t kept_ = 0;
};

}  // namespace agora::relay
