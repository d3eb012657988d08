// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/feed.hpp"

#include <cstdio>
#include <utility>

#include "gst/common/codecs.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/signal-thread.hpp"

namespace agora::web {

namespace {

constexpr int bits_per_second = 128'000;
// As agorasrc has it unless it is told otherwise: what reaches who listens in time reaches players.
// Not adaptive: then each first hitch after a quiet while is a gap, and it is heard by all.
constexpr unsigned latency_ms = 100;
// What waits for the network at most; beyond it the oldest is left out.
constexpr guint64 longest_queue = GST_SECOND;
// Sound goes out all the time. If so many looks see nothing of it, it is begun anew.
constexpr unsigned look_ms = 1000, most_idle = 5;
// For the connection's own thread to see its end; see RtmpSocket::cut().
constexpr gint64 told_us = 60'000;

// Which element isn't installed that browsers don't need; "": none.
std::string missing () {
  for (const char *name : {"flvmux", "queue", "rtmp2sink"}) {
    const ObjectPtr<GstElementFactory> factory(gst_element_factory_find(name));
    if (!factory)
      return std::string("the GStreamer element ") + name + " is not installed";
  }
  return best_aac_encoder() ? "" : "no AAC encoder is installed, such as voaacenc";
}

ObjectPtr<GstElement> make_element (const char *factory) {
  return sink_ref(gst_element_factory_make(factory, nullptr));
}

ObjectPtr<GstElement> make_filter () {
  ObjectPtr<GstElement> filter = make_element("capsfilter");
  const CapsPtr caps(gst_caps_new_simple("audio/x-raw", "rate", G_TYPE_INT, 48000, "channels",
                                         G_TYPE_INT, 2, nullptr));
  g_object_set(filter.get(), "caps", caps.get(), nullptr);
  return filter;
}

ObjectPtr<GstElement> make_encoder () {
  const AacEncoder *best = best_aac_encoder();
  ObjectPtr<GstElement> encoder = make_element(best->name);
  g_object_set(encoder.get(), "bitrate", bits_per_second, nullptr);
  return encoder;
}

ObjectPtr<GstElement> make_muxer () {
  ObjectPtr<GstElement> muxer = make_element("flvmux");
  g_object_set(muxer.get(), "streamable", TRUE, nullptr);
  return muxer;
}

ObjectPtr<GstElement> make_queue () {
  ObjectPtr<GstElement> queue = make_element("queue");
  gst_util_set_object_arg(G_OBJECT(queue.get()), "leaky", "downstream");
  g_object_set(queue.get(), "max-size-time", longest_queue, "max-size-buffers", 0, "max-size-bytes",
               0, nullptr);
  return queue;
}

}  // namespace

Feed::Feed(std::string gateway, web_line::Feed order)
    : gateway_(std::move(gateway)), order_(std::move(order)) {
  make();
}

Feed::~Feed() {
  stop();
}

ObjectPtr<GstElement> Feed::make_source() const {
  ObjectPtr<GstElement> source = make_element("agorasrc");
  g_object_set(source.get(), "latency", latency_ms, "gateway", (gateway_ + "/mix").c_str(),
               "app-id", order_.app.c_str(), "channel", order_.channel.c_str(), "retry-first-join",
               TRUE, "reconnect-timeout", -1, nullptr);
  return source;
}

void Feed::make() {
  made_ = g_get_monotonic_time();
  sent_ = 0;
  idle_ = 0;
  if (const std::string what = missing(); !what.empty())
    return broke(what.c_str());
  pipeline_ = std::make_unique<Pipeline>(
      Pipeline::Callbacks{[this] (const GError &error) { broke(error.message); }, {}});
  push_ = make_element("rtmp2sink");
  g_object_set(push_.get(), "location", order_.url.c_str(), nullptr);
  set_for_push(push_.get());
  const ObjectPtr<GstElement> all[] = {
      make_source(),
      make_filter(),
      make_element("audioconvert"),
      make_encoder(),
      make_muxer(),
      make_queue(),
      ObjectPtr<GstElement>(GST_ELEMENT(gst_object_ref(push_.get())))};
  GstElement *before = nullptr;
  bool linked = true;
  for (const ObjectPtr<GstElement> &each : all) {
    linked = linked && gst_bin_add(pipeline_->bin(), each.get()) &&
             (!before || gst_element_link(before, each.get()));
    before = each.get();
  }
  if (!linked)
    return broke("its elements don't link");
  socket_ = std::make_shared<RtmpSocket>();
  socket_->apply(push_.get());
  pipeline_->play();
  timer_ = after(nullptr, look_ms, [this] { look(); });
}

void Feed::look() {
  const guint64 sent = stat_of(push_.get(), "out-bytes-total");
  idle_ = std::exchange(sent_, sent) == sent ? idle_ + 1 : 0;
  if (idle_ >= most_idle)
    return broke("nothing of it was taken for 5 s");
  timer_ = after(nullptr, look_ms, [this] { look(); });
}

void Feed::broke(const char *why) {
  const unsigned pause_ms = pause_.after(g_get_monotonic_time() - made_);
  std::fprintf(stderr, "the mix of %s/%s for players broke, and is made again in %u ms: %s\n",
               order_.app.c_str(), order_.channel.c_str(), pause_ms, why);
  stop();
  timer_ = after(nullptr, pause_ms, [this] { make(); });
}

void Feed::stop() {
  timer_.reset();
  if (!pipeline_)
    return;
  if (socket_)
    socket_->cut();
  const gint64 until = g_get_monotonic_time() + told_us;
  pipeline_->end([socket = std::move(socket_)] {},
                 [until] { return g_get_monotonic_time() >= until; });
  pipeline_.reset();
  push_.reset();
}

}  // namespace agora::web
