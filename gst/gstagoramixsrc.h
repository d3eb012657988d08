/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* The live end of agorasrc: pushes the mix, block by block, on the pipeline's clock. Since: 0.1 */
#pragma once

#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_AGORA_MIX_SRC (gst_agora_mix_src_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraMixSrc, gst_agora_mix_src, GST, AGORA_MIX_SRC, GstPushSrc)

G_END_DECLS
