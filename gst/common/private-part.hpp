// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Elements inside of ours whose errors and ends are repaired, never told: also while they are being
// taken away and nobody knows them any more.
#pragma once

#include <gst/gst.h>

#include "gst/common/gst-ptr.hpp"

namespace agora {

inline GQuark private_part_quark () {
  return g_quark_from_static_string("agora-private-part");
}

inline void mark_private_part (gpointer element) {
  g_object_set_qdata(G_OBJECT(element), private_part_quark(), GINT_TO_POINTER(1));
}

// Whether `object` is such an element or inside of one.
inline bool is_private_part (GstObject *object) {
  ObjectPtr<GstObject> each(object ? GST_OBJECT(gst_object_ref(object)) : nullptr);
  while (each && !g_object_get_qdata(G_OBJECT(each.get()), private_part_quark()))
    each.reset(gst_object_get_parent(each.get()));
  return each != nullptr;
}

// Whether `message` is an ERROR, a WARNING or an EOS of one.
inline bool is_private_trouble (GstMessage *message) {
  constexpr auto trouble = GST_MESSAGE_ERROR | GST_MESSAGE_WARNING | GST_MESSAGE_EOS;
  return (GST_MESSAGE_TYPE(message) & trouble) && is_private_part(GST_MESSAGE_SRC(message));
}

}  // namespace agora
