// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/sink-deadline.hpp"

#include <gst/base/gstaggregator.h>
#include <gst/base/gstbasesink.h>

#include <utility>

#include "gst/common/gst-ptr.hpp"

namespace agora {
namespace {

// No chain of elements is longer; what goes round in a circle is.
constexpr int kMostPads = 200;

// Whatever arrives at `sink` leaves by this pad alone; nullptr: there are several, or none.
ObjectPtr<GstPad> only_way_on (GstPad *sink) {
  GstIterator *pads = gst_pad_iterate_internal_links(sink);
  if (!pads)
    return nullptr;
  ObjectPtr<GstPad> found;
  unsigned count = 0;
  GValue item = G_VALUE_INIT;
  // A list that changes meanwhile is looked at another time: then there is another latency, too.
  while (gst_iterator_next(pads, &item) == GST_ITERATOR_OK) {
    found.reset(GST_PAD(g_value_dup_object(&item)));
    g_value_reset(&item);
    count++;
  }
  g_value_unset(&item);
  gst_iterator_free(pads);
  return count == 1 ? std::move(found) : nullptr;
}

}  // namespace

GstClockTime sink_deadline (GstPad *pad) {
  ObjectPtr<GstPad> at(GST_PAD(gst_object_ref(pad)));
  for (int i = 0; i < kMostPads; i++) {
    const ObjectPtr<GstPad> peer(gst_pad_get_peer(at.get()));
    if (!peer)
      return 0;
    const ObjectPtr<GstElement> element(gst_pad_get_parent_element(peer.get()));
    if (element && GST_IS_BASE_SINK(element.get())) {
      GstBaseSink *sink = GST_BASE_SINK(element.get());
      return gst_base_sink_get_sync(sink) ? gst_base_sink_get_processing_deadline(sink) : 0;
    }
    if (element && GST_IS_AGGREGATOR(element.get()))
      return 0;
    at = only_way_on(peer.get());
    if (!at)
      return 0;
  }
  return 0;
}

}  // namespace agora
