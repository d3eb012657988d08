// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/down-chain.hpp"

namespace agora::web {

namespace {

// Later than this is a gap; earlier than that is more than the peer will ever play in time.
constexpr GstClockTime kMaxBehind = 100 * GST_MSECOND, kMaxAhead = 200 * GST_MSECOND;
constexpr GstClockTime kPacket = 20 * GST_MSECOND;
constexpr std::int64_t kRate = 48'000;

// A pad that feeds `into`. It is in no element, so that the two have no parent in common.
ObjectPtr<GstPad> feed (const char *name, GstPad *into) {
  ObjectPtr<GstPad> pad = sink_ref(gst_pad_new(name, GST_PAD_SRC));
  gst_pad_link_full(pad.get(), into, GST_PAD_LINK_CHECK_NOTHING);
  return pad;
}

void begin (GstPad *pad, const char *id, GstCaps *caps) {
  gst_pad_set_active(pad, TRUE);
  gst_pad_push_event(pad, gst_event_new_stream_start(id));
  gst_pad_push_event(pad, gst_event_new_caps(caps));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(pad, gst_event_new_segment(&segment));
}

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

std::unique_ptr<DownChain> DownChain::make(GstBin *bin, GstPad *rtp, GstPad *rtcp,
                                           const Source &source, const char *&missing) {
  GstElement *payloader = gst_element_factory_make("rtpopuspay", nullptr);
  if (!payloader) {
    missing = "rtpopuspay";
    return nullptr;
  }
  g_object_set(payloader, "pt", guint(source.payload_type), "ssrc", source.ssrc, nullptr);
  gst_bin_add(bin, payloader);
  const ObjectPtr<GstPad> from(gst_element_get_static_pad(payloader, "src"));
  if (!rtp || !rtcp || !GST_PAD_LINK_SUCCESSFUL(gst_pad_link(from.get(), rtp))) {
    missing = "srtpenc";
    return nullptr;
  }
  std::unique_ptr<DownChain> chain(new DownChain(source));
  chain->bin_ = bin;
  chain->payloader_ = payloader;
  const ObjectPtr<GstPad> head(gst_element_get_static_pad(payloader, "sink"));
  chain->feed_ = feed("feed", head.get());
  chain->report_feed_ = feed("report-feed", rtcp);
  return chain;
}

DownChain::~DownChain() {
  close();
}

void DownChain::start() {
  const CapsPtr opus(gst_caps_new_simple("audio/x-opus", "channel-mapping-family", G_TYPE_INT, 0,
                                         "channels", G_TYPE_INT, 1, "rate", G_TYPE_INT, int(kRate),
                                         nullptr));
  begin(feed_.get(), "agora-mix", opus.get());
  const CapsPtr rtcp(gst_caps_new_empty_simple("application/x-rtcp"));
  begin(report_feed_.get(), "agora-reports", rtcp.get());
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
  const gsize size = gst_buffer_get_size(ours);
  if (gst_pad_push(feed_.get(), ours) != GST_FLOW_OK) {
    ++dropped_;
    return;
  }
  ++sent_;
  reports_.sent(size);
  report(now, time);
}

// What was pushed last had the running time `time`.
void DownChain::report(GstClockTime now, GstClockTime time) {
  const std::int64_t mono = g_get_monotonic_time();
  if (!reports_.is_due(mono))
    return;
  guint last = 0;
  g_object_get(payloader_, "timestamp", &last, nullptr);
  const auto since = static_cast<std::int64_t>(now) - static_cast<std::int64_t>(time);
  const std::int64_t rtp = last + since * kRate / std::int64_t(GST_SECOND);
  BufferPtr packet = reports_.make(mono, steady_wall_us(mono), static_cast<std::uint32_t>(rtp));
  gst_pad_push(report_feed_.get(), packet.release());
}

void DownChain::close() {
  const std::lock_guard guard(order_);
  if (closed_)
    return;
  closed_ = true;
  gst_pad_set_active(feed_.get(), FALSE);
  gst_pad_set_active(report_feed_.get(), FALSE);
}

}  // namespace agora::web
