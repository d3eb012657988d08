// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From Opus packets to FLV tags, as Enhanced RTMP has them: each packet one tag, and an OpusHead
// before the first and each second after it, for whoever comes later.
//
// Its tags come out on the thread that sends the packets in, which therefore may wait.
#pragma once

#include <atomic>
#include <optional>

#include "gst/sink/tag-maker.hpp"

namespace agora {

class OpusTagger final : public TagMaker {
 public:
  explicit OpusTagger(Taker &taker) : taker_(taker) {}

  bool start () override;
  void stop () override { running_ = false; }
  // Never: whoever may not wait must not bring a packet itself.
  bool idle () const override { return false; }
  GstFlowReturn send (GstBuffer *packet, GstCaps *caps,
                      std::chrono::steady_clock::time_point expires) override;
  void send_end () override { taker_.tags_end(); }

 private:
  void set_caps (GstCaps *caps);

  Taker &taker_;
  std::atomic<bool> running_ = false;
  // Whoever sends.
  CapsPtr fed_;                           // of the last packet
  CapsPtr tags_;                          // of the stream of tags
  BufferPtr head_;                        // the OpusHead as a tag of the time 0
  std::optional<GstClockTime> first_;     // the stream's beginning
  std::optional<std::uint64_t> head_ms_;  // when the last one went out
};

}  // namespace agora
