// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The one thread on which all signalling of the process runs, for every element, and how to get
// work onto it. It lasts as long as the process: plugins are never unloaded.
#pragma once

#include <gio/gio.h>

#include <functional>

#include "signaling/support/glib-ptr.hpp"

namespace agora {

GMainContext *signal_context ();
// Runs `what` on the context's thread, never before post() has returned; in order.
void post (GMainContext *context, std::function<void()> what);

// Runs `what` once, unless the source is gone by then.
SourcePtr after (GMainContext *context, unsigned ms, std::function<void()> what);

}  // namespace agora
