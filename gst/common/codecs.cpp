// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/codecs.hpp"

#include <array>

#include "gst/common/gst-ptr.hpp"

namespace agora {
namespace {

// A conversation wants the one that holds back least: at voice rates they sound alike.
// tests/element/sink/encoders-test.cpp measures them.
constexpr std::array<AacEncoder, 3> known_encoders = {
    {{"voaacenc", 1600}, {"fdkaacenc", 2048}, {"avenc_aac", 1024}}};

GstElement *make_best (GstElementFactoryListType type, GstCaps *caps) {
  GList *all = gst_element_factory_list_get_elements(type | GST_ELEMENT_FACTORY_TYPE_MEDIA_AUDIO,
                                                     GST_RANK_MARGINAL);
  GList *fit = gst_element_factory_list_filter(all, caps, GST_PAD_SINK, FALSE);
  fit = g_list_sort(fit, gst_plugin_feature_rank_compare_func);
  GstElement *element = nullptr;
  for (GList *item = fit; item && !element; item = item->next)
    element = gst_element_factory_create(GST_ELEMENT_FACTORY(item->data), nullptr);
  gst_plugin_feature_list_free(fit);
  gst_plugin_feature_list_free(all);
  return element;
}

}  // namespace

GstElement *make_parser (GstCaps *caps) {
  return make_best(GST_ELEMENT_FACTORY_TYPE_PARSER, caps);
}

GstElement *make_decoder (GstCaps *caps) {
  return make_best(GST_ELEMENT_FACTORY_TYPE_DECODER, caps);
}

std::span<const AacEncoder> aac_encoders () {
  return known_encoders;
}

const AacEncoder *best_aac_encoder () {
  for (const AacEncoder &encoder : known_encoders) {
    ObjectPtr<GstElementFactory> factory(gst_element_factory_find(encoder.name));
    if (factory)
      return &encoder;
  }
  return nullptr;
}

}  // namespace agora
