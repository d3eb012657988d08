// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an agorasink does: takes sound in, paces it, gives it to a publication, and keeps its place
// in the channel.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gst/membership/membership.hpp"
#include "gst/sink/agora-frame-sink.hpp"
#include "gst/sink/broadcast.hpp"
#include "gst/sink/input-chain.hpp"
#include "gst/sink/outage.hpp"
#include "gst/sink/sink-settings.hpp"

namespace agora {

// start() and stop() come from state changes, one at a time; see the comment at each other method.
class Publisher final : public Member, private FrameTaker, private Publication::Owner {
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
  bool muted () const { return air_.muted; }
  void set_max_backlog (unsigned ms);
  // What is on the air goes over to it, where it is another one. Also before start(), whose
  // settings don't count here.
  void set_codec (CodecChoice codec);
  // The same where it is for others than it was.
  void set_talk_to (const UidList &uids);
  bool started () const { return session() != nullptr; }
  unsigned max_backlog () const;
  void renew_token (const std::string &token);
  void update_push_url ();
  bool send_data (const std::string &text, const UidList &to);
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
  std::vector<VoiceCodec> offers () const override;
  UidList talk_to () const override;
  void push_urls (const PushUrls &urls) override;
  void codecs_wanted (const VoiceCodecs &codecs) override;
  void silenced (bool silenced) override;
  void token_refused (const GError &error) override;
  void named (std::uint32_t uid, const std::string &name) override;
  void member_joined (std::uint32_t uid, const std::string &name) override;
  void list_refused (const GError &error) override;
  void data (std::uint32_t uid, const std::string &text) override;
  void data_refused (const GError &error) override;
  void channel_event (const char *name, std::uint32_t uid) override;
  void push_url_is_late () override;
  void reconnecting (const GError &error) override;
  void reconnected (GstClockTime duration) override;
  void report (MemberReport &report) override;
  void failed (const GError &error) override;

 private:
  using BroadcastPtr = std::shared_ptr<Broadcast>;
  // Set when nobody waits any more for what another thread does.
  using Cancelled = std::shared_ptr<std::atomic<bool>>;

  // Publication::Owner
  void connection_broke (const Publication &from, const GError &cause) override;
  void connection_refused (const Publication &from) override;
  void connection_taken () override;
  void connection_works (const Publication &from) override;
  void gap_is_the_end () override;
  GapFilling gap_filling () const override;

  // FrameTaker: the streaming thread.
  void stream_started () override;
  GstClockTime duration_of (GstBuffer *buffer, GstCaps *caps) override;
  GstFlowReturn take_frame (GstBuffer *buffer, GstCaps *caps, GstClockTime time) override;
  void flushed () override;

  void want (const VoiceCodecs &codecs, Broadcast::Leaving leaving);
  void load_clip (const Cancelled &cancelled);
  BroadcastPtr make_broadcast ();
  BroadcastPtr broadcast () const;
  bool is_current (const Publication &one) const;
  bool is_current (const Broadcast &one) const;
  void end_of_stream (guint32 seqnum);
  void finish (guint32 seqnum, const BroadcastPtr &ended);
  void post_end (guint32 seqnum);
  void revive ();
  void retire (const BroadcastPtr &old);

  void announce_outage (Outage::Of what, const GError &cause);
  void announce_broken_push ();
  void announce_end_of_outage (Outage::Of what);
  std::shared_ptr<Membership> session () const;
  void tell_muted (Membership &channel);
  void tell_published ();

  GstBin *bin_;
  GstPad *pad_;
  ObjectPtr<GstElement> frame_sink_;
  InputChain front_;
  OnAir air_;
  Outage outage_;

  // Of what comes in each codec; streaming thread.
  struct Coming {
    CapsPtr caps;
    AacFormat format;  // of AAC
    bool fresh = true;
  };
  std::array<Coming, kVoiceCodecs.size()> coming_;
  Coming &coming (VoiceCodec codec, GstCaps *caps);

  std::atomic<bool> stopping_ = true;
  std::atomic<guint32> uid_ = 0;

  mutable std::mutex mutex_;  // guards all below; no call leaves the object under it
  std::shared_ptr<Membership> session_;
  std::string early_token_;        // the last one set while there was no session
  AgoraClient *client_ = nullptr;  // the application's, held while started
  SinkSettings settings_;
  // Not settings_': they may be set while those are on their way here.
  CodecChoice codec_ = CodecChoice::aac;
  UidList talk_to_;
  VoiceCodecs wanted_codecs_;
  PushUrls urls_;
  int reconnect_timeout_s_ = 0;
  std::shared_ptr<const GapClip> clip_;
  Cancelled clip_cancelled_;
  ErrorPtr push_cause_;                // why the last push broke
  BroadcastPtr broadcast_;             // takes the frames; nullptr: not started
  std::vector<BroadcastPtr> retired_;  // those before it that aren't stopped yet
  bool finished_ = false;              // broadcast_: the channel is told of its end
  bool end_posted_ = false;            // of broadcast_
  // What the channel is to know and what it was told: the number of the broadcast that it is to
  // have a push URL for, or 0 for none. One thread tells at a time.
  unsigned wanted_ = 1;
  unsigned told_ = 1;
  unsigned revived_ = 1;
  bool telling_ = false;
};

}  // namespace agora
