// SPDX-License-Identifier: LGPL-2.1-or-later
// The feeder: one thread that takes frames from the backlog to the muxer, and stands in when none
// come. It may wait for the network; nobody waits for it.
#include <algorithm>
#include <utility>

#include "gst/sink-core.hpp"
#include "gst/stamp.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds stamp_interval(200);

GstClockTime elapsed (Clock::time_point since, Clock::time_point now) {
  return now > since ? static_cast<GstClockTime>(nanoseconds(now - since).count()) : 0;
}

}  // namespace

std::optional<Clock::time_point> SinkCore::next_filler() const {
  if (filling_until_)
    return filling_until_;
  if (last_sent_ == Clock::time_point())
    return std::nullopt;
  std::lock_guard lock(mutex_);
  return last_sent_ + milliseconds(settings_.gap_timeout_ms);
}

void SinkCore::feed() {
  for (;;) {
    // Before PLAYING nothing is missed yet.
    if (playing_ && last_sent_ == Clock::time_point())
      last_sent_ = Clock::now();
    const std::optional<Clock::time_point> deadline = next_filler();
    Frame frame;
    switch (backlog_.take(frame, deadline ? &*deadline : nullptr)) {
      case Backlog::Took::frame:
        if (!goes_on(feed_frame(std::move(frame))))
          return;
        break;
      case Backlog::Took::timeout:
        if (!goes_on(feed_filler()))
          return;
        break;
      case Backlog::Took::woken:
        break;
      case Backlog::Took::end:
        uplink_.send_end();
        return;
      case Backlog::Took::stopped:
        return;
    }
  }
}

// The network's troubles are repaired behind the muxer; what comes back from it is its own.
bool SinkCore::goes_on(GstFlowReturn flow) {
  if (flow == GST_FLOW_OK)
    return true;
  if (flow != GST_FLOW_FLUSHING && !stopping_)
    GST_ELEMENT_ERROR(
        bin_, STREAM, MUX, ("This sound could not be put into FLV."),
        ("flvmux returned %s for %" GST_PTR_FORMAT, gst_flow_get_name(flow), sent_caps_.get()));
  return false;
}

GstFlowReturn SinkCore::feed_frame(Frame frame) {
  const Clock::time_point now = Clock::now();
  if (resumed_.exchange(false))
    timeline_.paused();
  const std::optional<GstClockTime> place =
      timeline_.place(frame.time, frame.duration, frame.fresh, elapsed(last_sent_, now));
  if (!place) {
    backlog_.add_dropped(frame.duration, 1);
    return GST_FLOW_OK;
  }
  GST_TRACE_OBJECT(bin_, "frame of %" GST_TIME_FORMAT " goes to %" GST_TIME_FORMAT,
                   GST_TIME_ARGS(frame.time), GST_TIME_ARGS(*place));
  filling_until_.reset();
  last_sent_ = now;
  const AacFormat format = AacFormat::of(frame.caps.get());
  BufferPtr payload;
  if (muted_) {
    payload = silent_frame(format.channels);
    // A layout that has no silence of its own is silent by its absence.
    if (!payload)
      return GST_FLOW_OK;
  } else {
    payload = std::move(frame.buffer);
  }
  if (format.object_type == 2 && now - last_stamp_ >= stamp_interval) {
    payload = stamped(std::move(payload), frame);
    last_stamp_ = now;
  }
  return send(std::move(payload), frame.caps, *place, frame.duration, frame.arrival);
}

// With the wall clock of the moment at which the frame's first sample was at the sink pad.
BufferPtr SinkCore::stamped(BufferPtr payload, const Frame &frame) {
  ObjectPtr<GstClock> clock(gst_element_get_clock(GST_ELEMENT(bin_)));
  if (!clock || !playing_)
    return payload;
  const GstClockTimeDiff running =
      GST_CLOCK_DIFF(gst_element_get_base_time(GST_ELEMENT(bin_)), gst_clock_get_time(clock.get()));
  const std::int64_t age = (running - static_cast<GstClockTimeDiff>(frame.time) +
                            static_cast<GstClockTimeDiff>(frame.lookahead)) /
                           GST_USECOND;
  return stamp_frame(payload.get(), g_get_real_time() - age);
}

GstFlowReturn SinkCore::send(BufferPtr payload, const CapsPtr &caps, GstClockTime time,
                             GstClockTime duration, Clock::time_point arrival) {
  BufferPtr out(gst_buffer_make_writable(payload.release()));
  GST_BUFFER_PTS(out.get()) = GST_BUFFER_DTS(out.get()) = time;
  GST_BUFFER_DURATION(out.get()) = duration;
  if (sent_caps_.get() != caps.get())
    sent_caps_ = share(caps.get());
  return uplink_.send(out.get(), caps.get(), arrival);
}

GstFlowReturn SinkCore::feed_filler() {
  const Clock::time_point now = Clock::now();
  OnGap on_gap;
  const BufferPtr *piece = nullptr;
  CapsPtr caps;
  {
    std::lock_guard lock(mutex_);
    on_gap = settings_.on_gap;
    if (on_gap == OnGap::file && !clip_.frames.empty()) {
      piece = &clip_.frames[clip_position_++ % clip_.frames.size()];
      caps = share(clip_.caps.get());
    }
  }
  if (on_gap == OnGap::end && !sent_caps_) {
    // What has not begun doesn't end.
    last_sent_ = now;
    return GST_FLOW_OK;
  }
  if (on_gap == OnGap::end) {
    GST_INFO_OBJECT(bin_, "no sound for too long: this ends the stream");
    last_sent_ = Clock::now() + std::chrono::hours(24);
    end_of_stream(gst_util_seqnum_next());
    return GST_FLOW_OK;
  }
  if (!caps)
    caps = sent_caps_ ? share(sent_caps_.get()) : default_aac_caps();
  const AacFormat format = AacFormat::of(caps.get());
  const GstClockTime duration = format.frame_duration();
  const GstClockTime time = timeline_.fill(duration, elapsed(last_sent_, now));
  // On the clock, not on its own lateness; but what a standing network made late is not made up.
  const Clock::time_point due = filling_until_.value_or(now);
  filling_until_ = std::max(due, now - milliseconds(100)) + nanoseconds(duration);
  last_sent_ = now;
  filled_ += duration;
  BufferPtr payload = piece && !muted_ ? share(piece->get()) : silent_frame(format.channels);
  return payload ? send(std::move(payload), caps, time, duration, now) : GST_FLOW_OK;
}

}  // namespace agora
