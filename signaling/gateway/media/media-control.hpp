// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What cuts sessions at a media server that runs elsewhere, by HTTP. Main loop only.
#pragma once

#include <functional>
#include <memory>

#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

class MediaControl {
 public:
  // By --rtmp-kind; null: without --rtmp-control.
  static std::unique_ptr<MediaControl> make (const Options &options);

  MediaControl() = default;
  virtual ~MediaControl() = default;
  MediaControl(const MediaControl &) = delete;
  MediaControl &operator=(const MediaControl &) = delete;

  // Says by `sessions` which ones there are, where the server tells.
  virtual void start (const MediaServer::Callbacks &) {}
  // `done` is called when they are cut, have ended already, or can't be reached.
  virtual void drop (const DropMedia &what, std::function<void()> done) = 0;
};

}  // namespace agora::gateway
