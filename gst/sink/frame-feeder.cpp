// SPDX-License-Identifier: LGPL-2.1-or-later
// How frames get into the muxer. Where nothing is in the way the streaming thread brings them there
// itself, which spares waking another for each. What has to wait goes through the backlog, from
// which the feeder takes it, a thread that may wait for the network; nobody waits for it. It also
// stands in when no frames come.
#include <algorithm>
#include <utility>

#include "gst/common/capture-stamp.hpp"
#include "gst/sink/publication.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds stamp_interval(200);
// Who rests says so each 0.4 s.
constexpr milliseconds longest_rest(1000);
constexpr GstClockTime filler_packet = 20 * GST_MSECOND;  // of Opus
// Frames that sit in the muxer while the network stands are late by more than the backlog allows.
constexpr milliseconds stale_slack(200);

GstClockTime elapsed (Clock::time_point since, Clock::time_point now) {
  return now > since ? static_cast<GstClockTime>(nanoseconds(now - since).count()) : 0;
}

}  // namespace

std::optional<Clock::time_point> Publication::next_filler(const GapFilling &filling) const {
  if (filling_until_)
    return filling_until_;
  if (last_sent_ == Clock::time_point())
    return std::nullopt;
  return last_sent_ + (rests_ ? std::max(filling.timeout, longest_rest) : filling.timeout);
}

// Whether PLAYING is asked for. A bin leaves a child alone that waits for its first frame: so this
// element doesn't hear of it, and looks at the pipeline's own.
bool Publication::shall_play() const {
  if (air_.playing)
    return true;
  ObjectPtr<GstObject> top(GST_OBJECT(gst_object_ref(bin_)));
  while (GstObject *parent = gst_object_get_parent(top.get()))
    top.reset(parent);
  GST_OBJECT_LOCK(top.get());
  const bool asked = GST_STATE_TARGET(top.get()) == GST_STATE_PLAYING;
  GST_OBJECT_UNLOCK(top.get());
  return asked;
}

Clock::time_point Publication::feed_deadline() {
  const bool plays = shall_play();
  const GapFilling filling = owner_.gap_filling();
  std::lock_guard lock(feed_mutex_);
  // Before PLAYING nothing is missed yet.
  if (plays && last_sent_ == Clock::time_point())
    last_sent_ = Clock::now();
  return next_filler(filling).value_or(Clock::now() + filling.timeout);
}

void Publication::feed() {
  for (;;) {
    const Clock::time_point deadline = feed_deadline();
    switch (backlog_.wait(&deadline)) {
      case FrameQueue::Event::frame:
      case FrameQueue::Event::timeout:
        feed_next();
        break;
      case FrameQueue::Event::woken:
        break;
      case FrameQueue::Event::end:
        feed_end();
        return;
      case FrameQueue::Event::stopped:
        return;
    }
  }
}

void Publication::feed_end() {
  std::lock_guard lock(feed_mutex_);
  muxer_->send_end();
}

// Taken under the lock, so that no newer frame goes before it.
void Publication::feed_next() {
  const GapFilling filling = owner_.gap_filling();
  {
    std::lock_guard lock(feed_mutex_);
    Frame frame;
    if (backlog_.take(frame)) {
      feed_frame(std::move(frame));
      return;
    }
    // Frames that did not come by the feeder have moved it.
    const std::optional<Clock::time_point> deadline = next_filler(filling);
    if (!deadline || *deadline > Clock::now())
      return;
    if (is_off() || filling.on_gap != OnGap::end || !sent_caps_) {
      feed_filler(filling);
      return;
    }
    last_sent_ = Clock::now() + std::chrono::hours(24);
  }
  GST_INFO_OBJECT(bin_, "no sound for too long: this ends the stream");
  owner_.gap_is_the_end();
}

// A muxer that is idle takes a frame without waiting.
bool Publication::feed_now(Frame &frame) {
  std::unique_lock lock(feed_mutex_, std::try_to_lock);
  if (!lock || !backlog_.idle() || !muxer_->idle())
    return false;
  feed_frame(std::move(frame));
  return true;
}

GstFlowReturn Publication::take_tag(const FlvTag &tag) {
  switch (connections_.push(tag)) {
    case PushSwitch::Outcome::sent:
      break;
    case PushSwitch::Outcome::expired:
      backlog_.add_dropped(tag.duration, 1);
      break;
    case PushSwitch::Outcome::stopped:
      return GST_FLOW_FLUSHING;
  }
  return GST_FLOW_OK;
}

// The network's troubles are repaired behind the muxer; what comes back from it is its own, and
// ends this.
void Publication::check_flow(GstFlowReturn flow) {
  if (flow == GST_FLOW_OK)
    return;
  backlog_.stop();
  failed_ = flow != GST_FLOW_FLUSHING && !over_;
  if (failed_)
    GST_ELEMENT_ERROR(bin_, STREAM, MUX, ("This sound could not be put into FLV."),
                      ("making a tag returned %s for %" GST_PTR_FORMAT, gst_flow_get_name(flow),
                       sent_caps_.get()));
}

void Publication::feed_frame(Frame frame) {
  const Clock::time_point now = Clock::now();
  if (is_off()) {
    last_sent_ = now;
    filling_until_.reset();
    return;
  }
  if (air_.resumed.exchange(false))
    timeline_.paused();
  const std::optional<GstClockTime> place =
      timeline_.place(frame.time, frame.duration, frame.fresh, elapsed(last_sent_, now));
  if (!place) {
    backlog_.add_dropped(frame.duration, 1);
    return;
  }
  GST_TRACE_OBJECT(bin_, "frame of %" GST_TIME_FORMAT " goes to %" GST_TIME_FORMAT,
                   GST_TIME_ARGS(frame.time), GST_TIME_ARGS(*place));
  filling_until_.reset();
  last_sent_ = now;
  rests_ = frame.rests && !air_.muted;
  BufferPtr payload;
  if (air_.muted) {
    payload = silence(frame.caps.get(), frame.duration);
    // A layout that has no silence of its own is silent by its absence.
    if (!payload)
      return;
  } else {
    payload = std::move(frame.buffer);
  }
  if (frame.takes_stamp && now - last_stamp_ >= stamp_interval) {
    payload = stamped(std::move(payload), frame);
    last_stamp_ = now;
  }
  check_flow(send(std::move(payload), frame.caps, *place, frame.duration, frame.arrival));
}

BufferPtr Publication::silence(const GstCaps *caps, GstClockTime duration) const {
  return codec_ == VoiceCodec::opus ? silent_packet(caps, duration)
                                    : silent_frame(AacFormat::of(caps));
}

// With the wall clock of the moment at which the frame's first sample was at the sink pad.
BufferPtr Publication::stamped(BufferPtr payload, const Frame &frame) {
  ObjectPtr<GstClock> clock(gst_element_get_clock(GST_ELEMENT(bin_)));
  if (!clock || !air_.playing)
    return payload;
  const GstClockTimeDiff running =
      GST_CLOCK_DIFF(gst_element_get_base_time(GST_ELEMENT(bin_)), gst_clock_get_time(clock.get()));
  const std::int64_t age = (running - static_cast<GstClockTimeDiff>(frame.time) +
                            static_cast<GstClockTimeDiff>(frame.lookahead)) /
                           GST_USECOND;
  return stamp_frame(payload.get(), frame.caps.get(), g_get_real_time() - age);
}

GstFlowReturn Publication::send(BufferPtr payload, const CapsPtr &caps, GstClockTime time,
                                GstClockTime duration, Clock::time_point arrival) {
  BufferPtr out(gst_buffer_make_writable(payload.release()));
  GST_BUFFER_PTS(out.get()) = GST_BUFFER_DTS(out.get()) = time;
  GST_BUFFER_DURATION(out.get()) = duration;
  if (sent_caps_.get() != caps.get())
    sent_caps_ = share(caps.get());
  const auto limit = nanoseconds(backlog_.limit()) + stale_slack;
  return muxer_->send(out.get(), caps.get(), arrival + limit);
}

void Publication::feed_filler(const GapFilling &filling) {
  const Clock::time_point now = Clock::now();
  // What has not begun doesn't end.
  if (is_off() || filling.on_gap == OnGap::end) {
    last_sent_ = now;
    filling_until_.reset();
    return;
  }
  const GapClip::Frame *piece = nullptr;
  CapsPtr caps;
  if (filling.clip && !filling.clip->of(codec_).frames.empty()) {
    const GapClip::Encoded &clip = filling.clip->of(codec_);
    piece = &clip.frames[clip_position_++ % clip.frames.size()];
    caps = share(clip.caps.get());
  } else {
    caps = sent_caps_                   ? share(sent_caps_.get())
           : codec_ == VoiceCodec::opus ? default_opus_caps()
                                        : default_aac_caps();
  }
  const GstClockTime duration = piece ? piece->duration
                                : codec_ == VoiceCodec::opus
                                    ? filler_packet
                                    : AacFormat::of(caps.get()).frame_duration();
  const GstClockTime time = timeline_.fill(duration, elapsed(last_sent_, now));
  // On the clock, not on its own lateness; but what a standing network made late is not made up.
  const Clock::time_point due = filling_until_.value_or(now);
  filling_until_ = std::max(due, now - milliseconds(100)) + nanoseconds(duration);
  last_sent_ = now;
  rests_ = false;
  air_.filled += duration;
  BufferPtr payload =
      piece && !air_.muted ? share(piece->buffer.get()) : silence(caps.get(), duration);
  if (payload)
    check_flow(send(std::move(payload), caps, time, duration, now));
}

}  // namespace agora
