// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/down-chain.hpp"

namespace agora::web {

namespace {

// Later than this is a gap; earlier than that is more than the peer will ever play in time.
constexpr GstClockTime kMaxBehind = 100 * GST_MSECOND, kMaxAhead = 200 * GST_MSECOND;
constexpr GstClockTime kPacket = 20 * GST_MSECOND;

}  // namespace

GstClockTime PacketTimes::next(GstClockTime now, GstClockTime duration) {
  if (!GST_CLOCK_TIME_IS_VALID(next_) || now > next_ + kMaxBehind)
    next_ = now;
  if (next_ > now + kMaxAhead)
    return GST_CLOCK_TIME_NONE;
  const GstClockTime time = next_;
  next_ += duration;
  return time;
}

std::unique_ptr<DownChain> DownChain::make(GstBin *bin, GstPad *into, std::uint8_t payload_type,
                                           std::uint32_t ssrc, const char *&missing) {
  GstElement *payloader = gst_element_factory_make("rtpopuspay", nullptr);
  if (!payloader) {
    missing = "rtpopuspay";
    return nullptr;
  }
  g_object_set(payloader, "pt", guint(payload_type), "ssrc", ssrc, nullptr);
  gst_bin_add(bin, payloader);
  const ObjectPtr<GstPad> from(gst_element_get_static_pad(payloader, "src"));
  if (!into || !GST_PAD_LINK_SUCCESSFUL(gst_pad_link(from.get(), into))) {
    missing = "webrtcbin";
    return nullptr;
  }
  std::unique_ptr<DownChain> chain(new DownChain());
  chain->bin_ = bin;
  chain->feed_ = sink_ref(gst_pad_new("feed", GST_PAD_SRC));
  const ObjectPtr<GstPad> head(gst_element_get_static_pad(payloader, "sink"));
  // It is in no element, so that it has no parent in common with the payloader.
  gst_pad_link_full(chain->feed_.get(), head.get(), GST_PAD_LINK_CHECK_NOTHING);
  return chain;
}

DownChain::~DownChain() {
  close();
}

void DownChain::start() {
  gst_pad_set_active(feed_.get(), TRUE);
  gst_pad_push_event(feed_.get(), gst_event_new_stream_start("agora-mix"));
  const CapsPtr caps(gst_caps_new_simple("audio/x-opus", "channel-mapping-family", G_TYPE_INT, 0,
                                         "channels", G_TYPE_INT, 1, "rate", G_TYPE_INT, 48000,
                                         nullptr));
  gst_pad_push_event(feed_.get(), gst_event_new_caps(caps.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(feed_.get(), gst_event_new_segment(&segment));
}

void DownChain::push(BufferPtr packet) {
  if (!open_ || !packet) {
    ++dropped_;
    return;
  }
  const std::lock_guard guard(order_);
  const ObjectPtr<GstClock> clock(gst_element_get_clock(GST_ELEMENT(bin_)));
  if (closed_ || !clock) {
    ++dropped_;
    return;
  }
  const GstClockTime now =
      gst_clock_get_time(clock.get()) - gst_element_get_base_time(GST_ELEMENT(bin_));
  const GstClockTime duration =
      GST_BUFFER_DURATION_IS_VALID(packet.get()) ? GST_BUFFER_DURATION(packet.get()) : kPacket;
  const GstClockTime time = times_.next(now, duration);
  if (!GST_CLOCK_TIME_IS_VALID(time)) {
    ++dropped_;
    return;
  }
  // Its memory is shared with other listeners; its timestamps are not.
  GstBuffer *ours = gst_buffer_make_writable(packet.release());
  GST_BUFFER_PTS(ours) = time;
  GST_BUFFER_DTS(ours) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(ours) = duration;
  if (gst_pad_push(feed_.get(), ours) == GST_FLOW_OK)
    ++sent_;
  else
    ++dropped_;
}

void DownChain::close() {
  const std::lock_guard guard(order_);
  if (closed_)
    return;
  closed_ = true;
  gst_pad_set_active(feed_.get(), FALSE);
}

}  // namespace agora::web
