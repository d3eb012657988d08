// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One sound in, and as many encodings of it out as are wanted, which may change while it runs. Each
// codec has a lane of elements between a pad of the one end and a pad of the other. Frames of all
// lanes go on to the frame sink, one after another as their times are. Those of the pacing lane are
// the stream there; those of the other one carry their caps (mark_side_frame()).
//
//   entry, split, feed -> elements of a lane -> tap, join, out    (the pacing lane)
//              `, feed -> elements of a lane -> tap, '            (the other one)
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/common/voice-codec.hpp"

namespace agora {

// All of it belongs to the streaming thread, but for what comes along the pads: flushes, upstream
// events and queries come on any thread. Whoever is inside of a pad of an end holds that element,
// and it holds this.
class CodecLanes : public std::enable_shared_from_this<CodecLanes> {
 public:
  // Called by set_wanted() alone.
  struct Host {
    // The elements of a lane in their order, in the bin and not linked; false: an ERROR is on the
    // bus. The last one is an encoder; none where what comes in needs none.
    std::function<bool(VoiceCodec, std::vector<GstElement *> &)> build;
    // Takes such an element out again.
    std::function<void(GstElement *)> remove;
  };

  explicit CodecLanes(Host host);
  CodecLanes(const CodecLanes &) = delete;
  CodecLanes &operator=(const CodecLanes &) = delete;

  // The elements that the lanes are between: new ones (floating), once each. They belong into the
  // bin with the lanes' elements, before set_wanted().
  GstElement *make_split ();
  GstElement *make_join ();
  // What is before it links to the one, what is behind it to the other.
  GstPad *entry () const { return entry_.get(); }
  GstPad *out () const { return out_.get(); }

  // Which codecs to encode: one at least. Where both are, Opus paces: it is the one that has less
  // delay to lose. False: an ERROR is on the bus.
  bool set_wanted (const VoiceCodecs &wanted);

 private:
  struct Lane {
    VoiceCodec codec;
    std::vector<GstElement *> elements;  // streaming thread
    ObjectPtr<GstPad> feed;
    ObjectPtr<GstPad> tap;
    CapsPtr caps;  // of what comes out; streaming thread
  };
  using LanePtr = std::shared_ptr<Lane>;
  struct Waiting {
    BufferPtr frame;
    CapsPtr caps;
    unsigned segment;  // which one it belongs to
  };
  enum class Which { due, older, told, all };

  static GstFlowReturn on_input (GstPad *pad, GstObject *split, GstBuffer *buffer) noexcept;
  static gboolean on_input_event (GstPad *pad, GstObject *split, GstEvent *event) noexcept;
  static gboolean on_input_query (GstPad *pad, GstObject *split, GstQuery *query) noexcept;
  static gboolean on_out_event (GstPad *pad, GstObject *join, GstEvent *event) noexcept;
  static gboolean on_out_query (GstPad *pad, GstObject *join, GstQuery *query) noexcept;
  static gboolean on_feed_event (GstPad *pad, GstObject *split, GstEvent *event) noexcept;
  static gboolean on_feed_query (GstPad *pad, GstObject *split, GstQuery *query) noexcept;
  static GstFlowReturn on_frame (GstPad *pad, GstObject *join, GstBuffer *buffer) noexcept;
  static gboolean on_frame_event (GstPad *pad, GstObject *join, GstEvent *event) noexcept;

  LanePtr lane (VoiceCodec codec) const;
  LanePtr lane_of (const GstPad *tap) const;
  static bool link (const Lane &lane);
  bool add (VoiceCodec codec);
  void remove (VoiceCodec codec);
  std::vector<LanePtr> in_turn () const;
  GstFlowReturn input (GstBuffer *buffer);
  gboolean input_event (GstEvent *event);
  void input_gap (GstEvent *event);
  GstFlowReturn frame (Lane &from, BufferPtr frame);
  void frame_event (Lane &from, GstEvent *event);
  void tell_caps (const Lane &from);
  void tell_segment (GstEvent *event);
  bool is_due (const Waiting &one) const;
  void send_side (Which which);

  const Host host_;
  const ObjectPtr<GstPad> entry_;
  const ObjectPtr<GstPad> out_;
  std::atomic<VoiceCodec> pacing_ = VoiceCodec::aac;  // written by the streaming thread
  CapsPtr out_caps_;
  // Segments are counted: the last one that came in, and the last one that was told behind.
  unsigned came_ = 0;
  unsigned told_ = 0;
  GstSegment told_segment_;
  GstClockTime paced_until_ = GST_CLOCK_TIME_NONE;  // by the pacing frames, as their stamps are
  std::deque<Waiting> side_;

  mutable std::mutex mutex_;  // guards the list, which the streaming thread alone changes; a leaf
  std::vector<LanePtr> lanes_;
};

}  // namespace agora
