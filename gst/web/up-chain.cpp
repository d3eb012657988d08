// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/up-chain.hpp"

#include "gst/common/gst-ptr.hpp"
#include "gst/web/intake.hpp"

namespace agora::web {

namespace {

constexpr unsigned kMaxPads = 8;

using Flag = std::shared_ptr<std::atomic<bool>>;

GstPadProbeReturn let_through (GstPad *, GstPadProbeInfo *, gpointer open) noexcept {
  return static_cast<Flag *>(open)->get()->load() ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

// Before it is decoded. A list doesn't come: the depayloader pushes each packet alone.
GstPadProbeReturn within_time (GstPad *, GstPadProbeInfo *info, gpointer budget) noexcept {
  std::uint8_t head[2] = {};
  GstBuffer *packet = GST_PAD_PROBE_INFO_BUFFER(info);
  const gsize size = gst_buffer_extract(packet, 0, head, sizeof head);
  return static_cast<SoundBudget *>(budget)->takes(head, size, g_get_monotonic_time() / 1000)
             ? GST_PAD_PROBE_OK
             : GST_PAD_PROBE_DROP;
}

}  // namespace

std::unique_ptr<UpChain> UpChain::make(GstBin *bin, const char *&missing) {
  std::unique_ptr<UpChain> chain(new UpChain());
  GstElement *elements[3] = {};
  const char *const factories[3] = {"rtpopusdepay", "opusdec", "capsfilter"};
  for (int at = 0; at < 3; ++at) {
    elements[at] = gst_element_factory_make(factories[at], nullptr);
    if (!elements[at]) {
      missing = factories[at];
      return nullptr;
    }
    gst_bin_add(bin, elements[at]);
  }
  // Without a word about stereo in the offer the depayloader says stereo. The decoder mixes it.
  const CapsPtr mono(gst_caps_new_simple("audio/x-raw", "rate", G_TYPE_INT, 48000, "channels",
                                         G_TYPE_INT, 1, nullptr));
  g_object_set(elements[1], "use-inband-fec", TRUE, "plc", TRUE, nullptr);
  g_object_set(elements[2], "caps", mono.get(), nullptr);
  gst_element_link_many(elements[0], elements[1], elements[2], nullptr);

  const ObjectPtr<GstPad> packets(gst_element_get_static_pad(elements[0], "src"));
  gst_pad_add_probe(packets.get(), GST_PAD_PROBE_TYPE_BUFFER, within_time, new SoundBudget(),
                    [] (gpointer budget) noexcept { delete static_cast<SoundBudget *>(budget); });
  const ObjectPtr<GstPad> end(gst_element_get_static_pad(elements[2], "src"));
  gst_pad_add_probe(end.get(),
                    GstPadProbeType(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
                    let_through, new Flag(chain->open_),
                    [] (gpointer flag) noexcept { delete static_cast<Flag *>(flag); });
  GstPad *ghost = gst_ghost_pad_new("src", end.get());
  gst_pad_set_active(ghost, TRUE);
  gst_element_add_pad(GST_ELEMENT(bin), ghost);
  chain->depayloader_ = elements[0];
  return chain;
}

bool UpChain::take(GstPad *pad) {
  if (++pads_ > kMaxPads)
    return false;
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(depayloader_, "sink"));
  if (const ObjectPtr<GstPad> last(gst_pad_get_peer(sink.get())); last) {
    // It may go on sending, on a thread of its own: a packet that finds it unlinked would end the
    // whole pipeline. Probes come before that is looked at.
    gst_pad_add_probe(
        last.get(), GstPadProbeType(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [] (GstPad *, GstPadProbeInfo *, gpointer) noexcept { return GST_PAD_PROBE_DROP; }, nullptr,
        nullptr);
    gst_pad_unlink(last.get(), sink.get());
  }
  return GST_PAD_LINK_SUCCESSFUL(gst_pad_link(pad, sink.get()));
}

}  // namespace agora::web
