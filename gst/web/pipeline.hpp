// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A pipeline of the worker's: on the system's clock, with its bus read where its messages arise, so
// that it needs no descriptor and no watch. It is stopped by threads of a pool, never by the main
// loop: whatever one of them waits for, the other sessions don't.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "gst/common/gst-ptr.hpp"

namespace agora::web {

class Pipeline {
 public:
  struct Callbacks {
    // Main loop; never within a call of ours, and not after the end.
    std::function<void(const GError &)> failed;         // once
    std::function<void(const GstStructure &)> element;  // ELEMENT messages; may be empty
  };
  explicit Pipeline(Callbacks callbacks);
  // As end().
  ~Pipeline();
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  GstBin *bin () const { return GST_BIN(pipeline_.get()); }
  // False: an element refused, which `failed` tells the reason of.
  bool play ();
  // No callback follows. It is stopped in the pool, and `stopped` then runs on the main loop.
  // Where `may_stop` is given, not before it says so, or a second has passed.
  void end (std::function<void()> stopped = {}, std::function<bool()> may_stop = {});

 private:
  struct Bus;
  static GstBusSyncReply on_message (GstBus *, GstMessage *message, gpointer data) noexcept;

  ObjectPtr<GstElement> pipeline_;
  std::shared_ptr<Bus> bus_;
};

// Pipelines that are being stopped at this moment.
std::size_t pipelines_ending ();
// Runs the main loop until there are none, or the time is over. False: some are left.
bool await_pipelines (unsigned ms);

}  // namespace agora::web
