// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How much later than a source's latency says its blocks may come.
#pragma once

#include <gst/gst.h>

namespace agora {

// Beyond the latency of what is before it, a sink keeps time for its own work
// (GstBaseSink:processing-deadline). How long the sink behind the source pad `pad` does; 0 where
// something in between keeps a time of its own, such as audiomixer, or where there are several
// ways, or no sink.
GstClockTime sink_deadline (GstPad *pad);

}  // namespace agora
