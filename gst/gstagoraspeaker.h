/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) 2026 the agora developers */
/* One remote speaker's fader, as a child of agorasrc. Since: 0.1 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_AGORA_SPEAKER (gst_agora_speaker_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraSpeaker, gst_agora_speaker, GST, AGORA_SPEAKER, GstObject)

G_END_DECLS
