// SPDX-License-Identifier: LGPL-2.1-or-later
// The one thread on which all signalling of the process runs, for every element, and how to get
// work onto it. It lasts as long as the process: plugins are never unloaded.
#pragma once

#include <gio/gio.h>

#include <functional>
#include <memory>

namespace agora {

GMainContext *signal_context ();
// Runs `what` on the context's thread, never before post() has returned; in order.
void post (GMainContext *context, std::function<void()> what);

struct DestroySource {
  void operator()(GSource *source) const {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
using Timer = std::unique_ptr<GSource, DestroySource>;
// Runs `what` once, unless the timer is gone by then.
Timer after (GMainContext *context, unsigned ms, std::function<void()> what);

}  // namespace agora
