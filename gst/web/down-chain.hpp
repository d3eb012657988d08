// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a peer hears: packets of Opus as RTP, on the thread of whoever has them. Their
// timestamps are made here, so that the packets of another encoder go on where the last one's
// ended; and RTCP's reports of them are, which come after packets, on the same thread.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/web/sender-reports.hpp"

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
  // How the peer knows what it gets.
  struct Source {
    std::uint8_t payload_type = 0;
    std::uint32_t ssrc = 0;
    std::string cname;
  };
  // Into `bin`, linked to what takes RTP and RTCP. Nothing where an element is missing: `missing`
  // names it.
  static std::unique_ptr<DownChain> make (GstBin *bin, GstPad *rtp, GstPad *rtcp,
                                          const Source &source, const char *&missing);
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
  explicit DownChain(const Source &source) : reports_(source.ssrc, source.cname) {}
  void report (GstClockTime now, GstClockTime time);

  GstBin *bin_ = nullptr;
  GstElement *payloader_ = nullptr;       // the bin's
  ObjectPtr<GstPad> feed_, report_feed_;  // linked to payloader and encryption, in no element
  std::atomic<bool> open_ = false;
  std::atomic<std::uint64_t> sent_ = 0, dropped_ = 0;
  // Guards `times_`, `reports_` and `closed_`, and the order of packets: it is held while one is
  // pushed. Nothing below it calls back.
  std::mutex order_;
  PacketTimes times_;
  SenderReports reports_;
  bool closed_ = false;
};

}  // namespace agora::web
