// SPDX-License-Identifier: LGPL-2.1-or-later
// RTMP servers that someone else runs: we answer their hooks and cut sessions, no more.
#pragma once

#include <memory>

#include "signaling/gateway/media/media-control.hpp"
#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

class ExternalServer : public MediaServer {
 public:
  explicit ExternalServer(const Options &options);

  MediaAddress address () const override { return address_; }
  void start (const std::string &hooks, Callbacks callbacks) override;
  void stop () override { callbacks_.stopped(); }
  void drop (const DropMedia &what, std::function<void()> done) override;
  bool alive () const override { return true; }
  unsigned restarts () const override { return 0; }

 private:
  MediaAddress address_;
  std::unique_ptr<MediaControl> control_;  // null: without --rtmp-control
  Callbacks callbacks_;
};

}  // namespace agora::gateway
