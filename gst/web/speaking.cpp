// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/speaking.hpp"

#include <utility>

#include "gst/web/member.hpp"

namespace agora::web {

namespace {

// Of agorasink, in bits per second; in milliseconds.
constexpr unsigned bitrate = 48'000;
constexpr unsigned gap_timeout_ms = 200;

}  // namespace

void Speaking::prepare() {
  voice_.reset(gst_element_get_static_pad(peer()->bin(), "src"));
  // Also what lets the pad go unlinked until then.
  unheard_ = gst_pad_add_probe(
      voice_.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      [] (GstPad *, GstPadProbeInfo *, gpointer) noexcept { return GST_PAD_PROBE_DROP; }, nullptr,
      nullptr);
}

void Speaking::begin(bool muted) {
  if (sink_ || is_closed())
    return;
  sink_ = sink_ref(gst_element_factory_make("agorasink", nullptr));
  // The peer's pace is the voice's own. A microphone that is taken away leaves a gap, and the
  // stream stays.
  g_object_set(sink_.get(), "client", member().client(), "sync", FALSE, "async", FALSE, "bitrate",
               bitrate, "gap-timeout", gap_timeout_ms, "muted", static_cast<gboolean>(muted),
               nullptr);
  gst_util_set_object_arg(G_OBJECT(sink_.get()), "on-gap", "silence");
  gst_bin_add(pipeline().bin(), sink_.get());
  // Linked once it takes something: a packet that finds a stopped element ends the stream for good.
  gst_element_sync_state_with_parent(sink_.get());
  const ObjectPtr<GstPad> in(gst_element_get_static_pad(sink_.get(), "sink"));
  gst_pad_link(voice_.get(), in.get());
  gst_pad_remove_probe(voice_.get(), std::exchange(unheard_, 0));
}

void Speaking::set_muted(bool muted) {
  if (sink_)
    g_object_set(sink_.get(), "muted", static_cast<gboolean>(muted), nullptr);
}

GstStructure *Speaking::stats() const {
  GstStructure *stats = nullptr;
  if (sink_)
    g_object_get(sink_.get(), "stats", &stats, nullptr);
  return stats;
}

}  // namespace agora::web
