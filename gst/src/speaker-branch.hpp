// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What one agorasrc takes of one speaker's sound, as a branch of a tee: its timeline in that
// element's mix, and its pad where speakers are exposed.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "gst/common/gst-ptr.hpp"
#include "gst/mix/playout-timeline.hpp"
#include "gst/rtmp/play-connection.hpp"
#include "gst/src/speaker-pads.hpp"

namespace agora {

class SpeakerBranch {
 public:
  // `unplayable` is called by a streaming thread, but not after close().
  using OnUnplayable = std::function<void(const Unplayable &what)>;

  // `element` and `mix`, the pad of its mix, must last until close().
  SpeakerBranch(GstElement *element, GstPad *mix, bool expose,
                std::shared_ptr<PlayoutTimeline> timeline, OnUnplayable unplayable);

  // Waits for what is being delivered: nothing touches the element afterwards.
  void close ();

  // What follows is for streaming threads of the speaker's, and does nothing once it is closed.
  bool wants_sound () const { return gst_pad_is_linked(mix_); }
  // Whether it is to be decoded.
  bool frame (GstBuffer *frame, GstCaps *caps);
  void sound (const DecodedSound &sound);
  void moved ();
  bool brace (GstClockTimeDiff later);
  void crossed (GstClockTimeDiff later);
  void unplayable (const Unplayable &what);

  // Any thread.
  void set_pad (std::shared_ptr<SpeakerPad> pad);
  std::shared_ptr<SpeakerPad> pad () const;
  const PlayoutTimeline &timeline () const { return *timeline_; }
  // How much sound it was given so far, of which the timeline may have dropped some.
  GstClockTime given () const { return given_; }

 private:
  // Holds close() up for as long as it exists.
  class Delivery;
  void note_codec (GstCaps *caps, std::int64_t duration);
  std::optional<std::int64_t> clock_time ();

  GstElement *const element_;
  GstPad *const mix_;
  const bool expose_;
  const std::shared_ptr<PlayoutTimeline> timeline_;
  const OnUnplayable on_unplayable_;
  std::atomic<GstClockTime> given_ = 0;
  // By which the last time was told, and of the last frame; for who delivers.
  ObjectPtr<GstClock> clock_;
  CapsPtr caps_;
  std::int64_t duration_ = 0;

  mutable std::mutex mutex_;  // guards what follows; a leaf
  std::condition_variable idle_;
  unsigned deliveries_ = 0;
  bool closed_ = false;
  std::shared_ptr<SpeakerPad> pad_;
};

}  // namespace agora
