// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/web/start-up.hpp"

#include <gst/gst.h>

#include "gst/common/codecs.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/own-elements.hpp"
#include "gst/web/peer.hpp"

namespace agora::web {

namespace {

struct Needed {
  const char *factory;
  const char *package;
};
// Beside what peers need: of agorasink, agorasrc and a Mix.
constexpr Needed needed[] = {
    {"audioconvert", "gstreamer1.0-plugins-base"}, {"audioresample", "gstreamer1.0-plugins-base"},
    {"opusenc", "gstreamer1.0-plugins-base"},      {"fakesink", "libgstreamer1.0-0"},
    {"flvmux", "gstreamer1.0-plugins-good"},       {"flvdemux", "gstreamer1.0-plugins-good"},
    {"aacparse", "gstreamer1.0-plugins-good"},     {"rtmp2sink", "gstreamer1.0-plugins-bad"},
    {"rtmp2src", "gstreamer1.0-plugins-bad"},
};

// READY opens what an element needs.
bool load (GstElement *made) {
  const ObjectPtr<GstElement> element = sink_ref(made);
  if (!element)
    return false;
  gst_element_set_state(element.get(), GST_STATE_READY);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  return true;
}

CapsPtr aac () {
  return CapsPtr(gst_caps_new_simple("audio/mpeg", "mpegversion", G_TYPE_INT, 4, "stream-format",
                                     G_TYPE_STRING, "raw", "rate", G_TYPE_INT, 48000, "channels",
                                     G_TYPE_INT, 1, nullptr));
}

// Any of them: agorasink has its own order.
bool load_aac_encoder () {
  GList *all = gst_element_factory_list_get_elements(
      GST_ELEMENT_FACTORY_TYPE_ENCODER | GST_ELEMENT_FACTORY_TYPE_MEDIA_AUDIO, GST_RANK_NONE);
  const CapsPtr caps = aac();
  GList *aacs = gst_element_factory_list_filter(all, caps.get(), GST_PAD_SRC, FALSE);
  bool any = false;
  for (GList *each = aacs; each; each = each->next)
    any |= load(gst_element_factory_create(GST_ELEMENT_FACTORY(each->data), nullptr));
  gst_plugin_feature_list_free(aacs);
  gst_plugin_feature_list_free(all);
  return any;
}

std::string missing (const std::string &what, const std::string &package) {
  return what + " is not installed: the Debian package " + package + " has it";
}

}  // namespace

void register_elements () {
  register_own_elements();
}

bool warm_up_all (std::string &reason) {
  for (const auto &[factory, package] : needed)
    if (!load(gst_element_factory_make(factory, nullptr))) {
      reason = missing(std::string("the GStreamer element ") + factory, package);
      return false;
    }
  if (!load_aac_encoder()) {
    reason = missing("an AAC encoder for GStreamer", "gstreamer1.0-plugins-bad");
    return false;
  }
  const CapsPtr caps = aac();
  if (!load(make_decoder(caps.get()))) {
    reason = missing("an AAC decoder for GStreamer", "gstreamer1.0-libav");
    return false;
  }
  return warm_up(reason) && load(gst_element_factory_make("agorasink", nullptr)) &&
         load(gst_element_factory_make("agorasrc", nullptr));
}

}  // namespace agora::web
