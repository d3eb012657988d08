// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/push-connection.hpp"

#include "gst/common/private-part.hpp"
#include "gst/rtmp/flv-tag.hpp"

namespace agora {

namespace {
// A frame in one chunk, and so in one packet; RTMP's default of 128 bytes cuts each in several.
constexpr unsigned chunk_bytes = 4096;
}  // namespace

std::shared_ptr<PushConnection> PushConnection::make(GstBin *bin, const std::string &url,
                                                     AuthoritiesPtr authorities, GError **error) {
  ObjectPtr<GstElement> sink = sink_ref(gst_element_factory_make("rtmp2sink", nullptr));
  if (!sink) {
    g_set_error_literal(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                        "The GStreamer element rtmp2sink is not installed: it comes with the "
                        "Debian package gstreamer1.0-plugins-bad.");
    return nullptr;
  }
  if (!gst_uri_handler_set_uri(GST_URI_HANDLER(sink.get()), url.c_str(), error))
    return nullptr;
  return std::shared_ptr<PushConnection>(
      new PushConnection(bin, url, std::move(authorities), std::move(sink)));
}

PushConnection::PushConnection(GstBin *bin, const std::string &url, AuthoritiesPtr authorities,
                               ObjectPtr<GstElement> sink)
    : bin_(bin), url_(url), authorities_(std::move(authorities)), sink_(std::move(sink)) {
  mark_private_part(sink_.get());
  g_object_set(sink_.get(), "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, "qos",
               FALSE, "chunk-size", chunk_bytes, nullptr);
  pad_ = sink_ref(gst_pad_new("leg", GST_PAD_SRC));
  ObjectPtr<GstPad> peer(gst_element_get_static_pad(sink_.get(), "sink"));
  gst_pad_set_active(pad_.get(), TRUE);
  // It lives by its own rules: the session stays up while the pipeline is paused.
  gst_element_set_locked_state(sink_.get(), TRUE);
  gst_bin_add(bin_, sink_.get());
  gst_pad_link(pad_.get(), peer.get());
}

void PushConnection::open() {
  options_.apply(sink_.get(), authorities_);
  gst_element_set_state(sink_.get(), GST_STATE_PLAYING);
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

bool PushConnection::accepted() const {
  return stat_of(sink_.get(), "in-bytes-total") > 0;
}

guint64 PushConnection::sent_bytes() const {
  return stat_of(sink_.get(), "out-bytes-total");
}

void PushConnection::cut() {
  // What the server has taken on still goes out.
  if (!accepted())
    options_.cut();
}

void PushConnection::close(Deadline until) {
  cut();
  options_.await_told(until);
  gst_element_set_state(sink_.get(), GST_STATE_NULL);
  gst_pad_set_active(pad_.get(), FALSE);
  ObjectPtr<GstObject> parent(gst_element_get_parent(sink_.get()));
  if (parent)
    gst_bin_remove(bin_, sink_.get());
}

}  // namespace agora
