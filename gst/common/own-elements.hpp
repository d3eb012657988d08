// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// For programs that have the elements inside, and need no plugin path.
#pragma once

#include "gst/common/gst-ptr.hpp"

// Of gst/plugin.cpp.
extern "C" void gst_plugin_agora_register ();

namespace agora {

inline void register_own_elements () {
  // GStreamer loads each plugin to look at it where GST_REGISTRY_FORK=no forbids a process for
  // that. The types of a plugin agora on the path are there then, and can't be registered twice.
  const ObjectPtr<GstPlugin> found(gst_registry_find_plugin(gst_registry_get(), "agora"));
  if (!found || !gst_plugin_is_loaded(found.get()))
    gst_plugin_agora_register();
}

}  // namespace agora
