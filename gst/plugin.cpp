// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include "agora-config.h"
#include "gst/gstagorasink.h"
#include "gst/gstagorasrc.h"

#define PACKAGE "agora"

static gboolean plugin_init (GstPlugin *plugin) noexcept {
  gboolean any = FALSE;
  any |= GST_ELEMENT_REGISTER(agorasink, plugin);
  any |= GST_ELEMENT_REGISTER(agorasrc, plugin);
  return any;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, agora,
                  "Speaks into and listens to voice channels", plugin_init, AGORA_VERSION, "LGPL",
                  AGORA_PACKAGE, AGORA_PACKAGE_ORIGIN)
