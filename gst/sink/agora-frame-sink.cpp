// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/agora-frame-sink.hpp"

#include <gst/base/gstbasesink.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gst/common/voice-codec.hpp"

GST_DEBUG_CATEGORY_STATIC(agora_frame_sink_debug);
#define GST_CAT_DEFAULT agora_frame_sink_debug

G_BEGIN_DECLS

#define GST_TYPE_AGORA_FRAME_SINK (gst_agora_frame_sink_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraFrameSink, gst_agora_frame_sink, GST, AGORA_FRAME_SINK, GstBaseSink)

G_END_DECLS

struct _GstAgoraFrameSink {
  GstBaseSink parent;

  agora::FrameTaker *taker;
  GstPadEventFunction base_event;
  // All below: streaming thread.
  GstCaps *caps;                                              // the pad's
  std::array<GstClockTime, agora::kVoiceCodecs.size()> ends;  // running times of the last frames
  GstClockTime reached;  // the latest running time that a frame of this segment had
  bool ended;            // EOS has come
};

G_DEFINE_TYPE(GstAgoraFrameSink, gst_agora_frame_sink, GST_TYPE_BASE_SINK)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("audio/mpeg, mpegversion = (int) { 2, 4 }, stream-format = (string) raw; "
                    "audio/x-opus"));

// Later times than this (146 years) are none: running time is compared with signs, and wraps.
static const GstClockTime latest = G_MAXINT64 / 2;

// A codec that has been away for longer than this is where the other one is.
static const GstClockTime most_behind = 200 * GST_MSECOND;

static GstCaps *caps_of (const GstAgoraFrameSink *self, GstBuffer *buffer) {
  GstCaps *own = agora::side_caps_of(buffer);
  return own ? own : self->caps;
}

// The running time at which the last frame of this codec ended.
static GstClockTime &end_of (GstAgoraFrameSink *self, const GstCaps *caps) {
  const bool opus = caps && agora::is_opus(caps);
  auto &ends = self->ends;
  GstClockTime &end =
      ends[static_cast<std::size_t>(opus ? agora::VoiceCodec::opus : agora::VoiceCodec::aac)];
  const GstClockTime other = *std::max_element(ends.begin(), ends.end());
  if (other > end + most_behind)
    end = other;
  return end;
}

// A frame without a timestamp follows the last one.
static void gst_agora_frame_sink_get_times (GstBaseSink *base, GstBuffer *buffer,
                                            GstClockTime *start, GstClockTime *stop) noexcept {
  GstAgoraFrameSink *self = GST_AGORA_FRAME_SINK(base);
  GstCaps *caps = caps_of(self, buffer);
  *start = GST_BUFFER_PTS(buffer);
  if (*start > latest)
    *start =
        gst_segment_position_from_running_time(&base->segment, GST_FORMAT_TIME, end_of(self, caps));
  if (*start > latest)
    *start = std::min(base->segment.start, latest);
  *stop = *start + (self->taker && caps ? self->taker->duration_of(buffer, caps) : 0);
}

static GstFlowReturn gst_agora_frame_sink_render (GstBaseSink *base, GstBuffer *buffer) noexcept {
  GstAgoraFrameSink *self = GST_AGORA_FRAME_SINK(base);
  const GstSegment &segment = base->segment;
  GstCaps *caps = caps_of(self, buffer);
  if (!caps)
    return GST_FLOW_NOT_NEGOTIATED;
  GstClockTime start = 0;
  GstClockTime stop = 0;
  gst_agora_frame_sink_get_times(base, buffer, &start, &stop);
  const GstClockTime duration = stop - start;
  GstClockTime &end = end_of(self, caps);
  guint64 time = 0;
  // An encoder's first frame may begin before its segment does.
  if (gst_segment_to_running_time_full(&segment, GST_FORMAT_TIME, segment.rate < 0 ? stop : start,
                                       &time) <= 0)
    time = 0;
  time = std::min<guint64>(time, latest);
  self->reached = std::max(self->reached, time);
  if (std::abs(segment.rate) > 1) {
    // More frames come than there is time for: those that don't fit are left out. Backwards, a
    // demuxer may give groups of frames whose last one is the first in time: what counts is the
    // time that the group has.
    const bool back = segment.rate < 0;
    if ((back ? self->reached : time) + duration / 2 < end)
      return GST_FLOW_OK;
    time = back ? end : std::max(time, end);
  }
  end = time + duration;
  return self->taker ? self->taker->take_frame(buffer, caps, time) : GST_FLOW_FLUSHING;
}

static gboolean gst_agora_frame_sink_set_caps (GstBaseSink *base, GstCaps *caps) noexcept {
  gst_caps_replace(&GST_AGORA_FRAME_SINK(base)->caps, caps);
  return TRUE;
}

static void forget_times (GstAgoraFrameSink *self) {
  self->ends = {};
  self->reached = 0;
  self->ended = false;
}

// What is sent of a segment begins where that does.
static void begin_segment (GstAgoraFrameSink *self, GstEvent *event) {
  const GstSegment *segment = nullptr;
  gst_event_parse_segment(event, &segment);
  self->reached = std::min<GstClockTime>(segment->base, latest);
  if (segment->rate < 0)
    for (GstClockTime &end : self->ends)
      end = std::max(end, self->reached);
}

static gboolean gst_agora_frame_sink_event (GstBaseSink *base, GstEvent *event) noexcept {
  GstAgoraFrameSink *self = GST_AGORA_FRAME_SINK(base);
  GstBaseSinkClass *parent = GST_BASE_SINK_CLASS(gst_agora_frame_sink_parent_class);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      if (self->taker)
        self->taker->stream_started();
      break;
    case GST_EVENT_SEGMENT:
      event = agora::segment_in_time(event);
      begin_segment(self, event);
      break;
    case GST_EVENT_EOS:
      self->ended = true;
      break;
    case GST_EVENT_FLUSH_STOP: {
      const gboolean done = parent->event(base, event);
      forget_times(self);
      if (self->taker)
        self->taker->flushed();
      return done;
    }
    default:
      break;
  }
  return parent->event(base, event);
}

// The base class takes nothing after EOS, unless it was flushed. Here another stream may follow.
static gboolean on_pad_event (GstPad *pad, GstObject *parent, GstEvent *event) noexcept {
  const GstAgoraFrameSink *self = GST_AGORA_FRAME_SINK(parent);
  if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START && self->ended) {
    GST_DEBUG_OBJECT(self, "another stream after EOS");
    self->base_event(pad, parent, gst_event_new_flush_start());
    self->base_event(pad, parent, gst_event_new_flush_stop(FALSE));
  }
  return self->base_event(pad, parent, event);
}

static GstStateChangeReturn gst_agora_frame_sink_change_state (GstElement *element,
                                                               GstStateChange transition) noexcept {
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    forget_times(GST_AGORA_FRAME_SINK(element));
  return GST_ELEMENT_CLASS(gst_agora_frame_sink_parent_class)->change_state(element, transition);
}

static void gst_agora_frame_sink_finalize (GObject *object) noexcept {
  gst_clear_caps(&GST_AGORA_FRAME_SINK(object)->caps);
  G_OBJECT_CLASS(gst_agora_frame_sink_parent_class)->finalize(object);
}

static void gst_agora_frame_sink_class_init (GstAgoraFrameSinkClass *klass) {
  GST_DEBUG_CATEGORY_INIT(agora_frame_sink_debug, "agoraframesink", 0, "pacing end of agorasink");
  G_OBJECT_CLASS(klass)->finalize = gst_agora_frame_sink_finalize;
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = gst_agora_frame_sink_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(element_class, "Frame pacer", "Sink",
                                        "Hands frames over when their time has come",
                                        "The agora developers");
  GstBaseSinkClass *base = GST_BASE_SINK_CLASS(klass);
  base->get_times = gst_agora_frame_sink_get_times;
  base->render = gst_agora_frame_sink_render;
  base->set_caps = gst_agora_frame_sink_set_caps;
  base->event = gst_agora_frame_sink_event;
}

static void gst_agora_frame_sink_init (GstAgoraFrameSink *self) {
  GstBaseSink *base = GST_BASE_SINK(self);
  GstPad *pad = GST_BASE_SINK_PAD(base);
  self->base_event = GST_PAD_EVENTFUNC(pad);
  gst_pad_set_event_function(pad, on_pad_event);
  gst_base_sink_set_last_sample_enabled(base, FALSE);
  // Handing over takes no time: by default the base class would hold live sound back by 20 ms.
  gst_base_sink_set_processing_deadline(base, 0);
}

namespace agora {

namespace {

constexpr const char *side_frame = "AgoraSideFrame";
constexpr const char *side_caps = "caps";

// GStreamer copies it with the buffer.
GType side_frame_api () {
  static const char *no_tags[] = {nullptr};
  static const GstMetaInfo *info =
      gst_meta_register_custom(side_frame, no_tags, nullptr, nullptr, nullptr);
  return info->api;
}

}  // namespace

GstBuffer *mark_side_frame (GstBuffer *frame, GstCaps *caps) {
  side_frame_api();
  frame = gst_buffer_make_writable(frame);
  GstCustomMeta *meta = gst_buffer_add_custom_meta(frame, side_frame);
  gst_structure_set(gst_custom_meta_get_structure(meta), side_caps, GST_TYPE_CAPS, caps, nullptr);
  return frame;
}

GstCaps *side_caps_of (GstBuffer *frame) {
  auto *meta = reinterpret_cast<GstCustomMeta *>(gst_buffer_get_meta(frame, side_frame_api()));
  if (!meta)
    return nullptr;
  const GValue *caps = gst_structure_get_value(gst_custom_meta_get_structure(meta), side_caps);
  return GST_CAPS(g_value_get_boxed(caps));
}

GstEvent *segment_in_time (GstEvent *event) {
  const GstSegment *given = nullptr;
  gst_event_parse_segment(event, &given);
  if (given->format == GST_FORMAT_TIME)
    return event;
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  GstEvent *in_time = gst_event_new_segment(&segment);
  gst_event_set_seqnum(in_time, gst_event_get_seqnum(event));
  gst_event_unref(event);
  return in_time;
}

GstElement *make_frame_sink (FrameTaker *taker) {
  auto *self =
      GST_AGORA_FRAME_SINK(g_object_new(GST_TYPE_AGORA_FRAME_SINK, "name", "pace", nullptr));
  self->taker = taker;
  return GST_ELEMENT(self);
}

void quiet_frame_sink (GstElement *sink) {
  gst_pad_set_active(GST_BASE_SINK_PAD(sink), FALSE);
}

void abandon_frame_sink (GstElement *sink) {
  GST_AGORA_FRAME_SINK(sink)->taker = nullptr;
}

}  // namespace agora
