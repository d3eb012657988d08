// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From the Opus tags of one session to packets at a pad of ours, where other codecs have a demuxer.
// A hole in the sound that its decoder can conceal is told to it.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// All of it belongs to the session's streaming thread.
class OpusFeed {
 public:
  // Called once, before the first packet: to link `pad`, which gives Opus with these caps.
  using Link = std::function<void(GstPad *pad, GstCaps *caps)>;

  explicit OpusFeed(Link link) : link_(std::move(link)) {}
  ~OpusFeed();
  OpusFeed(const OpusFeed &) = delete;
  OpusFeed &operator=(const OpusFeed &) = delete;

  // What FlvAudioFilter gave of a stream of Opus. What came of the last packet.
  GstFlowReturn push (GstBuffer *tags);
  void end ();

 private:
  using Bytes = std::span<const std::uint8_t>;

  GstFlowReturn take (std::uint32_t stamp, Bytes body);
  GstFlowReturn take_packet (std::uint32_t stamp, Bytes packet);
  void set_caps (Bytes head);
  void begin (CapsPtr caps);
  GstClockTime time_of (std::uint32_t stamp);

  const Link link_;
  ObjectPtr<GstPad> pad_;
  CapsPtr caps_;
  std::int64_t media_ms_ = 0;  // of the last packet, without wraps
  std::optional<std::uint32_t> stamp_;
  GstClockTime end_ = GST_CLOCK_TIME_NONE;  // of the last packet
};

}  // namespace agora
