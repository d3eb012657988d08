// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One publication of agorasink's stream: queue, muxer and RTMP sessions, from its first frame to
// its end. A stream that goes on after its end gets another one, and the old one is stopped on a
// thread that may wait.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "gst/common/voice-codec.hpp"
#include "gst/sink/frame-queue.hpp"
#include "gst/sink/push-switch.hpp"
#include "gst/sink/send-timeline.hpp"
#include "gst/sink/silence.hpp"
#include "gst/sink/sink-settings.hpp"
#include "gst/sink/tag-maker.hpp"

namespace agora {

// What is sent when nothing comes in.
struct GapFilling {
  OnGap on_gap = OnGap::silence;
  std::chrono::milliseconds timeout{1000};
  std::shared_ptr<const GapClip> clip;  // nullptr: none, or not loaded yet
};

// What all publications of an element act by. Any thread.
struct OnAir {
  std::atomic<bool> muted = false;
  std::atomic<bool> silenced = false;  // by the operator: nothing is sent
  std::atomic<bool> playing = false;
  std::atomic<bool> resumed = false;
  std::atomic<guint64> filled = 0;                // nanoseconds of what on-gap sent
  std::atomic<guint64> max_backlog = GST_SECOND;  // nanoseconds
};

class Publication final : public std::enable_shared_from_this<Publication>,
                          private TagMaker::Taker,
                          private PushSwitch::Owner {
 public:
  // The element's part that has it. Called with no lock held; a call may come late, from one that
  // has been replaced.
  class Owner {
   public:
    virtual ~Owner() = default;
    // See PushSwitch::Owner.
    virtual void connection_broke (const Publication &from, const GError &cause) = 0;
    virtual void connection_refused (const Publication &from) = 0;
    virtual void connection_taken () = 0;
    virtual void connection_works (const Publication &from) = 0;
    // The feeder: on-gap=end, and nothing has come for so long.
    virtual void gap_is_the_end () = 0;
    virtual GapFilling gap_filling () const = 0;
  };

  // What it takes is frames of this codec. All of these must outlive stop().
  Publication(GstBin *bin, Owner &owner, OnAir &air, VoiceCodec codec);
  // Only after stop(), where it was started.
  ~Publication() override;
  Publication(const Publication &) = delete;
  Publication &operator=(const Publication &) = delete;

  // False when an element is missing, which is on the bus then. Never waits.
  bool start ();
  // Ends all of it at once, whatever is queued. Returns when its threads and sessions are gone,
  // also where another thread stops it at the same time. Never from a thread of its own.
  void stop ();

  VoiceCodec codec () const { return codec_; }
  // Whether somebody listens to this codec. Where nobody does, nothing is sent: sessions end, and
  // connect() is to follow once somebody does. Any thread.
  void set_wanted (bool wanted);
  bool wanted () const { return wanted_; }
  // Sound reaches a session.
  bool works () const { return connections_.works(); }

  // The streaming thread. Never waits. True when the session has just turned out to be stalled.
  bool take (Frame frame);
  void clear () { backlog_.clear(); }
  // No frame follows; what is queued goes out. False where that was said before.
  bool end ();
  bool ended () const { return ended_; }
  // The muxer can't go on, which is on the bus.
  bool failed () const { return failed_; }
  // Waits until all of it up to the end has been taken by the server; see PushSwitch::drain().
  bool drain ();

  // Any thread.
  void connect (const std::string &url, AuthoritiesPtr authorities) {
    connections_.connect(url, std::move(authorities));
  }
  void disconnect () { connections_.disconnect(); }
  // What drain() waits for has moved on.
  void moved () { connections_.moved(); }
  void wake () { backlog_.wake(); }
  void limit_changed () { backlog_.set_limit(air_.max_backlog); }
  FrameQueue::Totals totals () const { return backlog_.totals(); }
  std::string url () const { return connections_.url(); }
  guint64 sent_bytes () const { return connections_.sent_bytes(); }
  guint sessions () const { return connections_.sessions(); }

 private:
  // TagMaker::Taker: the muxer's thread, or the feeder.
  GstFlowReturn take_tag (const FlvTag &tag) override;
  void tags_end () override { connections_.end(); }
  // PushSwitch::Owner
  std::shared_ptr<void> hold () override { return shared_from_this(); }
  void connection_broke (const GError &cause) override;
  void connection_refused () override;
  void connection_taken () override { owner_.connection_taken(); }
  void connection_works () override { owner_.connection_works(*this); }

  // The streaming thread. False: the frame has to wait, and is still there.
  bool feed_now (Frame &frame);
  // The feeder thread.
  bool shall_play () const;
  bool is_off () const { return air_.silenced || !wanted_; }
  BufferPtr silence (const GstCaps *caps, GstClockTime duration) const;
  void feed ();
  Clock::time_point feed_deadline ();
  void feed_next ();
  void feed_end ();
  // Both; under feed_mutex_.
  void feed_frame (Frame frame);
  void feed_filler (const GapFilling &filling);
  void check_flow (GstFlowReturn flow);
  GstFlowReturn send (BufferPtr payload, const CapsPtr &caps, GstClockTime time,
                      GstClockTime duration, Clock::time_point arrival);
  BufferPtr stamped (BufferPtr payload, const Frame &frame);
  std::optional<Clock::time_point> next_filler (const GapFilling &filling) const;

  GstBin *const bin_;
  Owner &owner_;
  OnAir &air_;
  const VoiceCodec codec_;
  FrameQueue backlog_;
  const std::unique_ptr<TagMaker> muxer_;
  PushSwitch connections_;
  GThread *feeder_ = nullptr;  // written before stop() can be called, and by it

  // Guards what follows, and that frames reach the muxer in their order; before the backlog's, the
  // muxer's and the push switch's. Who holds it may wait for the network: the streaming thread only
  // tries it.
  std::mutex feed_mutex_;
  SendTimeline timeline_;
  CapsPtr sent_caps_;
  Clock::time_point last_sent_;
  bool rests_ = false;  // what was sent last said so
  std::optional<Clock::time_point> filling_until_;
  Clock::time_point last_stamp_;
  std::size_t clip_position_ = 0;

  std::atomic<bool> wanted_ = true;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> over_ = false;  // it is being stopped

  std::mutex stop_mutex_;  // guards what follows; a leaf
  std::condition_variable stopped_changed_;
  enum class Stopped { no, under_way, yes } stopped_ = Stopped::yes;  // yes: or never started
};

}  // namespace agora
