// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an agorasink does: takes sound in, paces it, queues it, sends it, and keeps its place in the
// channel.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "gst/membership/membership.hpp"
#include "gst/sink/agora-frame-sink.hpp"
#include "gst/sink/flv-muxer.hpp"
#include "gst/sink/frame-queue.hpp"
#include "gst/sink/input-chain.hpp"
#include "gst/sink/push-switch.hpp"
#include "gst/sink/send-timeline.hpp"
#include "gst/sink/silence.hpp"

namespace agora {

enum class OnGap { silence, file, end };

// What is read once, at the start.
struct SinkSettings {
  unsigned bitrate = 0;
  unsigned gap_timeout_ms = 1000;
  OnGap on_gap = OnGap::silence;
  std::string gap_location;
};

// start() and stop() come from state changes, one at a time; see the comment at each other method.
class Publisher final : public Member,
                        private FrameTaker,
                        private FlvMuxer::Taker,
                        private PushSwitch::Owner {
 public:
  Publisher(GstBin *bin, GstPad *pad);
  ~Publisher() override;

  // READY to PAUSED. False: an ERROR is on the bus.
  bool start (const ChannelSettings &channel, const SinkSettings &settings);
  // Before PAUSED to PLAYING and back.
  void set_playing (bool playing);
  // PAUSED to READY, before the children: nothing waits any more, and the goodbye is said.
  void stop ();
  // The same, after the children.
  void stopped ();

  // From any thread.
  void set_muted (bool muted);
  bool muted () const { return muted_; }
  void set_max_backlog (unsigned ms);
  unsigned max_backlog () const;
  void renew_token (const std::string &token);
  void update_push_url ();
  bool swallow (GstMessage *message);
  // As of any sink, by the part that keeps the time. Takes the event.
  bool query (GstQuery *query);
  bool send_event (GstEvent *event);
  // An EOS of the application's. It is under way when this returns. Takes the event.
  bool send_end (GstEvent *event);
  // A GstBaseSink, which has the properties of one.
  GstElement *frame_sink () const { return frame_sink_.get(); }
  GstStructure *stats () const;
  std::string push_url () const;
  guint32 uid () const { return uid_; }
  const char *connection_state () const;

  // Streaming thread.
  bool accept_caps (GstCaps *caps) { return front_.accept(caps); }
  bool prepare () { return front_.prepare(); }
  void pad_ended () { front_.ended(); }

  // Member: the signalling thread.
  void joined (std::uint32_t uid) override;
  void push_url (const std::string &url) override;
  void silenced (bool silenced) override;
  void token_refused (const GError &error) override;
  void channel_event (const char *name, std::uint32_t uid) override;
  void reconnecting (const GError &error) override;
  void reconnected (GstClockTime duration) override;
  void failed (const GError &error) override;

 private:
  // FlvMuxer::Taker: the muxer's thread.
  GstFlowReturn take_tag (const FlvTag &tag) override;
  void tags_end () override { connections_.end(); }
  // PushSwitch::Owner
  void connection_broke (const GError &cause) override;
  void connection_taken () override;
  void connection_works () override;

  // FrameTaker: the streaming thread.
  void stream_started () override;
  GstClockTime frames_are (GstCaps *caps) override;
  GstFlowReturn take_frame (GstBuffer *buffer, GstClockTime time) override;
  void flushed () override;

  // What work on other threads belongs to; over when nobody waits for it any more.
  using Token = std::shared_ptr<std::atomic<bool>>;
  void load_clip (const Token &over);
  void end_of_stream (guint32 seqnum);
  bool begin_feeding ();
  void end_feeding ();
  void revive ();

  // The streaming thread. False: the frame has to wait, and is still there.
  bool feed_now (Frame &frame);
  // The feeder thread.
  bool shall_play () const;
  void feed ();
  Clock::time_point feed_deadline ();
  void feed_next ();
  void feed_end ();
  // Both; under feed_mutex_.
  void feed_frame (Frame frame);
  void feed_filler ();
  void check_flow (GstFlowReturn flow);
  GstFlowReturn send (BufferPtr payload, const CapsPtr &caps, GstClockTime time,
                      GstClockTime duration, Clock::time_point arrival);
  BufferPtr stamped (BufferPtr payload, const Frame &frame);
  std::optional<Clock::time_point> next_filler () const;
  std::chrono::milliseconds gap_timeout () const;

  bool media_down ();
  void connection_stalled ();
  std::shared_ptr<Membership> session () const;
  void finish (guint32 seqnum, const Token &over);
  void post_end (guint32 seqnum);
  void tell_muted (Membership &channel);

  GstBin *bin_;
  GstPad *pad_;
  ObjectPtr<GstElement> frame_sink_;
  InputChain front_;
  FrameQueue backlog_;
  FlvMuxer muxer_;
  PushSwitch connections_;

  // Streaming thread.
  CapsPtr caps_;
  AacFormat format_;
  bool fresh_ = true;

  GThread *feeder_ = nullptr;  // streaming thread and state changes

  // Guards what follows, and that frames reach the muxer in their order; before mutex_, the
  // backlog's, the muxer's and the push switch's. Who holds it may wait for the network: the
  // streaming thread only tries it.
  std::mutex feed_mutex_;
  SendTimeline timeline_;
  CapsPtr sent_caps_;
  Clock::time_point last_sent_;
  std::optional<Clock::time_point> filling_until_;
  Clock::time_point last_stamp_;
  std::size_t clip_position_ = 0;

  std::atomic<bool> muted_ = false;
  std::atomic<bool> silenced_ = false;  // by the operator: nothing is sent
  std::atomic<bool> playing_ = false;
  std::atomic<bool> resumed_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> failed_ = false;  // the muxer
  std::atomic<bool> stopping_ = true;
  std::atomic<guint64> filled_ = 0;
  std::atomic<guint32> uid_ = 0;

  mutable std::mutex mutex_;  // guards all below; no call leaves the object under it
  std::shared_ptr<Membership> session_;
  std::string early_token_;        // the last one set while there was no session
  AgoraClient *client_ = nullptr;  // the application's, held while started
  SinkSettings settings_;
  int reconnect_timeout_s_ = 0;
  GapClip clip_;
  Token clip_over_;
  Token end_over_;
  bool drained_ = false;  // the end has been posted
  bool media_down_ = false;
  bool signalling_down_ = false;
  guint reconnects_ = 0;
  Clock::time_point down_since_;
};

}  // namespace agora
