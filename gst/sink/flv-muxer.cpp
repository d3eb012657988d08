// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/flv-muxer.hpp"

#include <algorithm>
#include <utility>

#include "gst/common/failures.hpp"
#include "gst/rtmp/flv-tag.hpp"

GST_DEBUG_CATEGORY_EXTERN(agora_sink_debug);
#define GST_CAT_DEFAULT agora_sink_debug

namespace agora {

namespace {

// Ten seconds and more. A muxer that gives nothing at all isn't waited for.
constexpr std::size_t most_under_way = 512;

}  // namespace

FlvMuxer::FlvMuxer(GstBin *bin, Taker &taker) : bin_(bin), taker_(taker) {
  feed_ = sink_ref(gst_pad_new("feed", GST_PAD_SRC));
  gate_ = sink_ref(gst_pad_new("gate", GST_PAD_SINK));
  gst_pad_set_element_private(gate_.get(), this);
  gst_pad_set_chain_function(gate_.get(), on_buffer);
  gst_pad_set_event_function(gate_.get(), on_event);
  gst_pad_set_query_function(feed_.get(), on_feed_query);
  gst_pad_set_query_function(gate_.get(), on_gate_query);
}

FlvMuxer::~FlvMuxer() {
  stop();
}

bool FlvMuxer::start() {
  if (!require_element(GST_ELEMENT(bin_), "flvmux", "gstreamer1.0-plugins-good"))
    return false;
  element_ = sink_ref(gst_element_factory_make("flvmux", nullptr));
  g_object_set(element_.get(), "streamable", TRUE, nullptr);
  gst_bin_add(bin_, element_.get());
  gst_element_set_locked_state(element_.get(), TRUE);
  {
    std::lock_guard lock(mutex_);
    sent_.clear();
  }
  under_way_ = 0;
  fed_.reset();
  first_.reset();
  gst_pad_set_active(gate_.get(), TRUE);
  gst_pad_set_active(feed_.get(), TRUE);
  ObjectPtr<GstPad> out(gst_element_get_static_pad(element_.get(), "src"));
  ObjectPtr<GstPad> in(gst_element_request_pad_simple(element_.get(), "audio"));
  gst_pad_link(out.get(), gate_.get());
  gst_pad_link(feed_.get(), in.get());
  gst_element_set_state(element_.get(), GST_STATE_PLAYING);
  gst_pad_push_event(feed_.get(), gst_event_new_stream_start("agorasink"));
  running_ = true;
  return true;
}

void FlvMuxer::stop() {
  running_ = false;
  if (!element_)
    return;
  gst_pad_set_active(gate_.get(), FALSE);
  gst_pad_set_active(feed_.get(), FALSE);
  gst_element_set_state(element_.get(), GST_STATE_NULL);
  ObjectPtr<GstPad> out(gst_element_get_static_pad(element_.get(), "src"));
  gst_pad_unlink(out.get(), gate_.get());
  ObjectPtr<GstPad> in(gst_pad_get_peer(feed_.get()));
  if (in)
    gst_pad_unlink(feed_.get(), in.get());
  gst_bin_remove(bin_, element_.get());
  element_.reset();
  muxed_.reset();
}

// The muxer asks whether it is live, to wait for pads that are late. There is one pad alone.
gboolean FlvMuxer::on_feed_query(GstPad *pad, GstObject *parent, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
    gst_query_set_latency(query, FALSE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

// Whatever the muxer makes: its caps change with the sound's format.
gboolean FlvMuxer::on_gate_query(GstPad *pad, GstObject *parent, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_set_accept_caps_result(query, TRUE);
    return TRUE;
  }
  return gst_pad_query_default(pad, parent, query);
}

// As flvmux counts, but without end.
std::uint64_t FlvMuxer::stream_ms(GstClockTime time) {
  if (!first_)
    first_ = time;
  return time > *first_ ? time / GST_MSECOND - *first_ / GST_MSECOND : 0;
}

GstFlowReturn FlvMuxer::send(GstBuffer *frame, GstCaps *caps,
                             std::chrono::steady_clock::time_point expires) {
  const bool first = !fed_;
  if (first || (caps != fed_.get() && !gst_caps_is_equal(caps, fed_.get()))) {
    gst_pad_push_event(feed_.get(), gst_event_new_caps(caps));
    fed_ = share(caps);
  }
  if (first) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(feed_.get(), gst_event_new_segment(&segment));
  }
  const std::uint64_t ms = stream_ms(GST_BUFFER_PTS(frame));
  {
    std::lock_guard lock(mutex_);
    sent_.push_back({GST_BUFFER_PTS(frame), ms, GST_BUFFER_DURATION(frame), expires});
    under_way_++;
    if (sent_.size() > most_under_way) {
      sent_.pop_front();
      under_way_--;
    }
  }
  return gst_pad_push(feed_.get(), gst_buffer_ref(frame));
}

void FlvMuxer::send_end() {
  gst_pad_push_event(feed_.get(), gst_event_new_eos());
}

GstFlowReturn FlvMuxer::on_buffer(GstPad *pad, GstObject *, GstBuffer *buffer) noexcept {
  return static_cast<FlvMuxer *>(gst_pad_get_element_private(pad))->muxed(BufferPtr(buffer));
}

// The frame whose tag has this time. Those before it have no tag: the muxer keeps their order, and
// left them out. Nothing where no frame has it.
std::optional<FlvMuxer::Sent> FlvMuxer::find_sent(GstClockTime time) {
  std::lock_guard lock(mutex_);
  const auto is_it = [time] (const Sent &each) { return each.time == time; };
  const auto found = std::find_if(sent_.begin(), sent_.end(), is_it);
  if (found == sent_.end())
    return std::nullopt;
  const Sent sent = *found;
  under_way_ -= static_cast<std::size_t>(found - sent_.begin());
  sent_.erase(sent_.begin(), found + 1);
  return sent;
}

// Whatever is still thought to be under way has no tag.
void FlvMuxer::no_more() {
  std::lock_guard lock(mutex_);
  under_way_ -= sent_.size();
  sent_.clear();
}

// The muxer gives each tag the PTS of its frame. Headers are in the caps.
GstFlowReturn FlvMuxer::muxed(BufferPtr buffer) {
  if (!is_flv_frame(buffer.get()))
    return GST_FLOW_OK;
  const std::optional<Sent> sent = find_sent(GST_BUFFER_PTS(buffer.get()));
  if (!sent) {
    GST_WARNING_OBJECT(bin_, "a tag of %" GST_TIME_FORMAT " that no frame was sent for: left out",
                       GST_TIME_ARGS(GST_BUFFER_PTS(buffer.get())));
    return GST_FLOW_OK;
  }
  FlvTag tag;
  tag.ms = sent->ms;
  tag.duration = sent->duration;
  tag.expires = sent->expires;
  tag.buffer = std::move(buffer);
  tag.caps = muxed_.get();
  const GstFlowReturn flow = taker_.take_tag(tag);
  under_way_--;
  return flow;
}

gboolean FlvMuxer::on_event(GstPad *pad, GstObject *, GstEvent *event) noexcept {
  auto *self = static_cast<FlvMuxer *>(gst_pad_get_element_private(pad));
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps = nullptr;
      gst_event_parse_caps(event, &caps);
      self->muxed_ = share(caps);
      break;
    }
    case GST_EVENT_EOS:
      self->no_more();
      self->taker_.tags_end();
      break;
    default:
      break;
  }
  gst_event_unref(event);
  return TRUE;
}

}  // namespace agora
