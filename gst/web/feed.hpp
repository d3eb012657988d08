// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A channel's mix as players have it: stereo AAC, pushed by RTMP to where the gateway says, and
// silence while nobody speaks. Made again where it breaks, until it is destroyed. Main loop.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <string>

#include "gst/rtmp/rtmp-socket.hpp"
#include "gst/web/pipeline.hpp"
#include "signaling/protocol/web-line.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/restart-pause.hpp"

namespace agora::web {

class Feed {
 public:
  // `gateway`: of web_line::Configure.
  Feed(std::string gateway, web_line::Feed order);
  ~Feed();
  Feed(const Feed &) = delete;
  Feed &operator=(const Feed &) = delete;

 private:
  void make ();
  ObjectPtr<GstElement> make_source () const;
  void look ();
  void broke (const char *why);
  void stop ();

  const std::string gateway_;
  const web_line::Feed order_;
  std::unique_ptr<Pipeline> pipeline_;  // null: it is made again in a moment
  ObjectPtr<GstElement> push_;
  std::shared_ptr<RtmpSocket> socket_;  // of `push_`
  guint64 sent_ = 0;                    // bytes, when it was looked at last
  unsigned idle_ = 0;                   // how often that was the same
  gint64 made_ = 0;                     // monotonic, in us
  RestartPause pause_;
  SourcePtr timer_;
};

}  // namespace agora::web
