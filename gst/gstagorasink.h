/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* agorasink: publishes a voice in a channel. Since: 0.1 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_AGORA_SINK (gst_agora_sink_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraSink, gst_agora_sink, GST, AGORA_SINK, GstBin)

GST_ELEMENT_REGISTER_DECLARE(agorasink);

G_END_DECLS
