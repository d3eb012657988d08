// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One sound in, and as many encodings of it out as are wanted, which may change while it runs. Each
// codec has a lane of elements between two pads of ours; frames of one of them, the pacing one, go
// on to the frame sink, which keeps the time; those of another go out as soon as the pacing ones
// have reached their time.
//
//   entry -> feed -> elements of a lane -> tap -> out      (the pacing lane)
//         `> feed -> elements of a lane -> tap -> taker    (the other one)
#pragma once

#include <gst/gst.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/voice-codec.hpp"

namespace agora {

// All of it belongs to the streaming thread, but for flushes, which may come from any.
class CodecLanes {
 public:
  struct Host {
    // The elements of a lane in their order, in the bin and not linked; false: an ERROR is on the
    // bus. The last one is an encoder; none where what comes in needs none.
    std::function<bool(VoiceCodec, std::vector<GstElement *> &)> build;
    // Takes such an element out again.
    std::function<void(GstElement *)> remove;
    // A frame of the lane that doesn't pace, whose time has come.
    std::function<void(GstBuffer *, GstCaps *, GstClockTime running_time)> side_frame;
  };

  explicit CodecLanes(Host host);
  ~CodecLanes();
  CodecLanes(const CodecLanes &) = delete;
  CodecLanes &operator=(const CodecLanes &) = delete;

  // What is before it links to the one, what is behind it to the other.
  GstPad *entry () const { return entry_.get(); }
  GstPad *out () const { return out_.get(); }

  // Which codecs to encode: one at least. Where both are, Opus paces: it is the one that has less
  // delay to lose. False: an ERROR is on the bus.
  bool set_wanted (const VoiceCodecs &wanted);
  // The encoder whose frames go out at out().
  GstElement *pacing_encoder () const;
  VoiceCodec pacing () const { return pacing_; }

 private:
  struct Lane {
    CodecLanes *owner;
    VoiceCodec codec;
    std::vector<GstElement *> elements;
    ObjectPtr<GstPad> feed;
    ObjectPtr<GstPad> tap;
    CapsPtr caps;  // of what comes out
  };
  struct Waiting {
    BufferPtr frame;
    CapsPtr caps;
  };

  static GstFlowReturn on_input (GstPad *pad, GstObject *parent, GstBuffer *buffer);
  static gboolean on_input_event (GstPad *pad, GstObject *parent, GstEvent *event);
  static gboolean on_input_query (GstPad *pad, GstObject *parent, GstQuery *query);
  static gboolean on_out_event (GstPad *pad, GstObject *parent, GstEvent *event);
  static gboolean on_out_query (GstPad *pad, GstObject *parent, GstQuery *query);
  static gboolean on_feed_event (GstPad *pad, GstObject *parent, GstEvent *event);
  static gboolean on_feed_query (GstPad *pad, GstObject *parent, GstQuery *query);
  static GstFlowReturn on_frame (GstPad *pad, GstObject *parent, GstBuffer *buffer);
  static gboolean on_frame_event (GstPad *pad, GstObject *parent, GstEvent *event);

  Lane *lane (VoiceCodec codec) const;
  static bool link (const Lane &lane);
  bool add (VoiceCodec codec);
  void remove (VoiceCodec codec);
  std::vector<ObjectPtr<GstPad>> feeds () const;
  GstFlowReturn input (GstBuffer *buffer);
  gboolean input_event (GstEvent *event);
  GstFlowReturn frame (Lane &from, BufferPtr frame);
  void frame_event (Lane &from, GstEvent *event);
  void tell_caps (const Lane &from);
  void send_side (bool all);

  const Host host_;
  ObjectPtr<GstPad> entry_;
  ObjectPtr<GstPad> out_;
  VoiceCodec pacing_ = VoiceCodec::aac;
  CapsPtr out_caps_;
  GstSegment segment_;
  GstClockTime paced_until_ = GST_CLOCK_TIME_NONE;  // end of the last pacing frame
  std::deque<Waiting> side_;

  mutable std::mutex mutex_;  // guards the list, which the streaming thread alone changes; a leaf
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace agora
