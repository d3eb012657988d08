/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* agorasrc, the element that listens to a channel. Since: 0.1 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_AGORA_SRC (gst_agora_src_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraSrc, gst_agora_src, GST, AGORA_SRC, GstBin)

GST_ELEMENT_REGISTER_DECLARE(agorasrc);

G_END_DECLS
