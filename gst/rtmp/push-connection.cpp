// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/push-connection.hpp"

#include <utility>

#include "gst/rtmp/flv-tag.hpp"
#include "gst/rtmp/media-url.hpp"

namespace agora {

std::shared_ptr<PushConnection> PushConnection::make(const std::string &url,
                                                     AuthoritiesPtr authorities, Failed failed,
                                                     GError **error) {
  ObjectPtr<GstElement> sink = sink_ref(gst_element_factory_make("rtmp2sink", nullptr));
  if (!sink) {
    g_set_error_literal(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                        "The GStreamer element rtmp2sink is not installed: it comes with the "
                        "Debian package gstreamer1.0-plugins-bad.");
    return nullptr;
  }
  if (!check_media_url(url, error))
    return nullptr;
  if (!gst_uri_handler_set_uri(GST_URI_HANDLER(sink.get()), url.c_str(), error))
    return nullptr;
  return std::shared_ptr<PushConnection>(
      new PushConnection(url, std::move(authorities), std::move(sink), std::move(failed)));
}

PushConnection::PushConnection(const std::string &url, AuthoritiesPtr authorities,
                               ObjectPtr<GstElement> sink, Failed failed)
    : url_(url),
      authorities_(std::move(authorities)),
      failed_(std::move(failed)),
      sink_(std::move(sink)),
      connection_(sink_.get(), sink_.get(),
                  [this] (const GError &error) { failed_(*this, error); }) {
  set_for_push(sink_.get());
  pad_ = sink_ref(gst_pad_new("leg", GST_PAD_SRC));
  ObjectPtr<GstPad> peer(gst_element_get_static_pad(sink_.get(), "sink"));
  gst_pad_set_active(pad_.get(), TRUE);
  gst_pad_link(pad_.get(), peer.get());
}

PushConnection::~PushConnection() {
  close();
}

void PushConnection::introduce(GstCaps *caps, std::uint32_t stamp) {
  CapsPtr ours = with_header_stamp(caps, stamp);
  if (!caps_)
    gst_pad_push_event(pad_.get(), gst_event_new_stream_start("agorasink"));
  gst_pad_push_event(pad_.get(), gst_event_new_caps(ours.get()));
  if (!caps_) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad_.get(), gst_event_new_segment(&segment));
  }
  caps_ = share(caps);
}

GstFlowReturn PushConnection::push(GstBuffer *tag, GstCaps *caps, std::uint64_t ms) {
  if (!base_)
    base_ = session_base(ms);
  const auto stamp = static_cast<std::uint32_t>(ms - *base_);
  // The first headers are of the time 0, from which rtmp2sink counts.
  if (caps && caps != caps_.get())
    introduce(caps, caps_ ? stamp : 0);
  BufferPtr ours = flv_stamp(tag) == stamp ? share(tag) : with_flv_stamp(tag, stamp);
  return gst_pad_push(pad_.get(), ours.release());
}

void PushConnection::end() {
  gst_pad_push_event(pad_.get(), gst_event_new_eos());
}

guint64 PushConnection::sent_bytes() const {
  return stat_of(sink_.get(), "out-bytes-total");
}

void PushConnection::close(Deadline until) {
  connection_.close(until);
  gst_pad_set_active(pad_.get(), FALSE);
}

}  // namespace agora
