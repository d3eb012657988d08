// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a peer hears: packets of Opus as RTP, on the thread of whoever has them. Their
// timestamps are made here, so that the packets of another encoder go on where the last one's
// ended.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "gst/common/gst-ptr.hpp"

namespace agora::web {

// The running time of each packet, which comes at `now`. Pure.
class PacketTimes {
 public:
  // Counted from the first as long as that is near to when they come. GST_CLOCK_TIME_NONE: it is
  // one too many, since they come faster than they can be played.
  GstClockTime next (GstClockTime now, GstClockTime duration);

 private:
  GstClockTime next_ = GST_CLOCK_TIME_NONE;
};

class DownChain {
 public:
  // Into `bin`, linked to `into`, which takes RTP. Nothing where an element is missing: `missing`
  // names it.
  static std::unique_ptr<DownChain> make (GstBin *bin, GstPad *into, std::uint8_t payload_type,
                                          std::uint32_t ssrc, const char *&missing);
  ~DownChain();

  // The bin is PLAYING: what follows gets to know what will come.
  void start ();
  // Any thread; waits for nothing but another push().
  void push (BufferPtr packet);
  void open () { open_ = true; }
  // Waits for the push() under way.
  void close ();

  std::uint64_t sent () const { return sent_; }
  std::uint64_t dropped () const { return dropped_; }

 private:
  DownChain() = default;

  GstBin *bin_ = nullptr;
  ObjectPtr<GstPad> feed_;  // linked to the payloader, in no element
  std::atomic<bool> open_ = false;
  std::atomic<std::uint64_t> sent_ = 0, dropped_ = 0;
  // Guards `times_` and `closed_`, and the order of packets: it is held while one is pushed.
  // Nothing below it calls back.
  std::mutex order_;
  PacketTimes times_;
  bool closed_ = false;
};

}  // namespace agora::web
