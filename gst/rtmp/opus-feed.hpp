// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From the Opus tags of one session to sound, where other codecs have a demuxer and a decoder.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/opus-packet.hpp"
#include "gst/common/opus-tag-reader.hpp"
#include "gst/rtmp/opus-voice.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora {

// All of it belongs to the session's streaming thread.
class OpusFeed {
 public:
  struct Taker {
    // A packet. Whether to decode it.
    std::function<bool(GstBuffer *packet, GstCaps *caps)> packet;
    std::function<void(GstClockTime media, const OpusVoice::Sound &sound, int channels)> sound;
    // More than two channels, or another mapping of them: called once, before the first packet, to
    // link `pad`, which gives such Opus to elements.
    std::function<void(GstPad *pad, GstCaps *caps)> link;
    // Why nothing of what comes now is given, as its head says; empty: it is.
    std::function<void(const std::string &why)> refused;
  };

  explicit OpusFeed(Taker taker);
  ~OpusFeed();
  OpusFeed(const OpusFeed &) = delete;
  OpusFeed &operator=(const OpusFeed &) = delete;

  // What FlvAudioFilter gave of a stream of Opus. What came of the last packet.
  GstFlowReturn push (GstBuffer *tags);
  void end ();

 private:
  using Bytes = std::span<const std::uint8_t>;

  GstFlowReturn take_packet (const OpusTagReader::Read &packet);
  void decode (GstBuffer *packet, Bytes bytes, const OpusPacket &read);
  std::string fault_of (Bytes head) const;
  void set_head (Bytes head);
  void begin_pad ();
  unsigned missing_before (GstClockTime at);

  const Taker taker_;
  CapsPtr caps_;
  int family_ = 0;
  std::string fault_;                 // of the last head
  std::unique_ptr<OpusVoice> voice_;  // nullptr: elements decode
  ObjectPtr<GstPad> pad_;
  OpusTagReader reader_;
  GstClockTime end_ = GST_CLOCK_TIME_NONE;  // of the last packet that was decoded
  TokenBucket mending_;
};

}  // namespace agora
