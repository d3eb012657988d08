// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/lane-end.hpp"

#include <utility>

#include "gst/sink/codec-lanes.hpp"

G_BEGIN_DECLS

#define GST_TYPE_AGORA_LANE_END (gst_agora_lane_end_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraLaneEnd, gst_agora_lane_end, GST, AGORA_LANE_END, GstElement)

G_END_DECLS

struct _GstAgoraLaneEnd {
  GstElement parent;

  // Never changes while the element lives.
  std::shared_ptr<agora::CodecLanes> *lanes;
};

G_DEFINE_TYPE(GstAgoraLaneEnd, gst_agora_lane_end, GST_TYPE_ELEMENT)

static void gst_agora_lane_end_finalize (GObject *object) noexcept {
  delete GST_AGORA_LANE_END(object)->lanes;
  G_OBJECT_CLASS(gst_agora_lane_end_parent_class)->finalize(object);
}

static void gst_agora_lane_end_class_init (GstAgoraLaneEndClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = gst_agora_lane_end_finalize;
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Lane end", "Generic",
                                        "Where agorasink's lanes begin, or end",
                                        "The agora developers");
}

static void gst_agora_lane_end_init (GstAgoraLaneEnd *self) {
  self->lanes = nullptr;
}

namespace agora {

GstElement *make_lane_end (const char *name, std::shared_ptr<CodecLanes> lanes) {
  auto *self = GST_AGORA_LANE_END(g_object_new(GST_TYPE_AGORA_LANE_END, "name", name, nullptr));
  self->lanes = new std::shared_ptr<CodecLanes>(std::move(lanes));
  return GST_ELEMENT(self);
}

CodecLanes &lanes_of (GstObject *lane_end) {
  return **GST_AGORA_LANE_END(lane_end)->lanes;
}

}  // namespace agora
