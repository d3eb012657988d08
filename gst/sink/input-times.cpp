// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// When the frames at the end of an agorasink's input are due. The frame sink paces them by their
// timestamps, so those have to go on as the sound does.
#include <algorithm>
#include <utility>

#include "gst/sink/agora-frame-sink.hpp"
#include "gst/sink/input-chain.hpp"
#include "gst/sink/packet.hpp"

namespace agora {

namespace {

// A frame that follows the last one needs no look at the clock.
constexpr GstClockTime least_jump = FarFrames::kFar / 2;

// A pause before the first sound that somebody wonders about.
constexpr GstClockTime long_wait = 10 * GST_SECOND;

// Packets of Opus say each how long they last. Of the first one an encoder's look-ahead is gone, of
// which only the second one's timestamp tells, where the buffer doesn't say.
GstClockTime packet_duration (GstBuffer *frame, bool first) {
  if (GST_BUFFER_DURATION_IS_VALID(frame))
    return GST_BUFFER_DURATION(frame);
  const auto packet = first ? std::nullopt : read_packet(frame);
  return packet ? duration_of(*packet) : 0;
}

}  // namespace

GstBuffer *InputChain::placed(GstBuffer *frame, GstClockTime duration, FrameCount &count) {
  const GstClockTime stamp = GST_BUFFER_PTS(frame);
  const GstClockTime at = count.place(stamp, duration);
  if (at == stamp)
    return frame;
  frame = gst_buffer_make_writable(frame);
  GST_BUFFER_PTS(frame) = at;
  return frame;
}

void InputChain::reset_counts() {
  count_.reset();
  side_count_.reset();
}

// How much later than now it is due.
GstClockTime InputChain::early_by(GstBuffer *frame) const {
  gboolean waits = FALSE;
  g_object_get(exit_, "sync", &waits, nullptr);
  GstElement *us = GST_ELEMENT(bin_);
  GstClockTime now = gst_element_get_current_running_time(us);
  // Before the first PLAYING there is no clock.
  if (!GST_CLOCK_TIME_IS_VALID(now) && GST_STATE_TARGET(us) < GST_STATE_PLAYING)
    now = gst_element_get_start_time(us);
  const GstClockTime due =
      gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, GST_BUFFER_PTS(frame));
  if (!waits || segment_.rate != 1 || !GST_CLOCK_TIME_IS_VALID(now) ||
      !GST_CLOCK_TIME_IS_VALID(due))
    return 0;
  return due - std::min(due, now);
}

// Where the first timestamp is far ahead, that is when the sound begins: a sink can't know better.
void InputChain::tell_if_late(GstBuffer *first) const {
  const GstClockTime wait = early_by(first);
  if (wait < long_wait)
    return;
  GST_ELEMENT_WARNING(bin_, STREAM, FAILED,
                      ("The sound begins in %.1f s: so far ahead of the clock is its first "
                       "timestamp, %.1f s. Until then nothing of it is sent.",
                       static_cast<double>(wait) / GST_SECOND,
                       static_cast<double>(GST_BUFFER_PTS(first)) / GST_SECOND),
                      (nullptr));
}

// Whether upstream says so: then nothing comes before its time.
bool InputChain::is_live() const {
  g_autoptr(GstQuery) query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(pad_, query))
    gst_query_parse_latency(query, &live, nullptr, nullptr);
  return live;
}

// They go on their way, each so much earlier than its timestamp says.
GstFlowReturn InputChain::release_far(GstClockTime earlier) {
  if (far_.empty())
    return GST_FLOW_OK;
  ObjectPtr<GstPad> entry(gst_element_get_static_pad(exit_, "sink"));
  GstFlowReturn flow = GST_FLOW_OK;
  releasing_ = true;
  for (BufferPtr &each : far_.release()) {
    if (flow != GST_FLOW_OK)
      break;
    GstBuffer *frame = gst_buffer_make_writable(each.release());
    GST_BUFFER_PTS(frame) -= std::min(GST_BUFFER_PTS(frame), earlier);
    flow = gst_pad_chain(entry.get(), frame);
  }
  releasing_ = false;
  return flow;
}

GstPadProbeReturn InputChain::frame_comes(GstPadProbeInfo *info) {
  GstBuffer *frame = GST_PAD_PROBE_INFO_BUFFER(info);
  if (releasing_)
    return GST_PAD_PROBE_OK;
  came_out_ = true;
  if (!counts_ || !GST_BUFFER_PTS_IS_VALID(frame))
    return GST_PAD_PROBE_OK;
  // The same sound in the other codec goes before what paces it, and has its own count.
  const bool side = side_caps_of(frame) != nullptr;
  if (!count_.begun() && !side_count_.begun())
    tell_if_late(frame);
  FrameCount &count = side ? side_count_ : count_;
  const GstClockTime duration =
      frame_duration_ && !side ? frame_duration_ : packet_duration(frame, !count.begun());
  GST_PAD_PROBE_INFO_DATA(info) = frame = placed(frame, duration, count);
  const auto now = FarFrames::Time::clock::now();
  if (far_.empty()) {
    if (count.hole() < least_jump || early_by(frame) < FarFrames::kFar)
      return GST_PAD_PROBE_OK;
    far_hole_ = count.hole();
    far_known_ = jumped_ || is_live();
  }
  if (side) {
    far_.keep(BufferPtr(frame), now);
    return GST_PAD_PROBE_HANDLED;
  }
  const auto verdict = far_.hold(BufferPtr(frame), duration, now);
  if (far_known_ || verdict == FarFrames::Verdict::jump)
    GST_PAD_PROBE_INFO_FLOW_RETURN(info) = go_on();
  else if (verdict == FarFrames::Verdict::hole)
    GST_PAD_PROBE_INFO_FLOW_RETURN(info) = release_far(0);
  return GST_PAD_PROBE_HANDLED;
}

// The timestamps jumped: the first frame that waits is due now, unless what came before it isn't
// over yet.
GstFlowReturn InputChain::go_on() {
  const GstClockTime by = std::min(far_hole_, early_by(far_.first()));
  count_.earlier(by);
  side_count_.earlier(by);
  if (!std::exchange(jumped_, true))
    GST_ELEMENT_WARNING(
        bin_, STREAM, FAILED,
        ("The timestamps jumped ahead by %.1f s, but the data goes on coming as time does. They "
         "are taken for wrong, and its sound goes on.",
         static_cast<double>(far_hole_) / GST_SECOND),
        (nullptr));
  return release_far(by);
}

}  // namespace agora
