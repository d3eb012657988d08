// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// RTMP servers that someone else runs: we answer their hooks and cut sessions, no more.
// Main loop only.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "signaling/gateway/media/hook-server.hpp"
#include "signaling/gateway/media/media-control.hpp"
#include "signaling/gateway/media/media-server.hpp"
#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

class ExternalServer : public MediaServer {
 public:
  // Its hooks are listened for already when it returns; an error is a sentence for the operator.
  static std::variant<std::unique_ptr<MediaServer>, std::string> make (const Options &options);

  MediaAddress address () const override { return address_; }
  MediaAddress near_address () const override { return near_; }
  void set_secret (const std::string &secret) override { hooks_->set_secret(secret); }
  void start (Callbacks callbacks) override;
  void stop () override { callbacks_.stopped(); }
  void drop (const DropMedia &what, std::function<void()> done) override;
  bool alive () const override { return true; }
  unsigned restarts () const override { return 0; }

 private:
  explicit ExternalServer(const Options &options);

  MediaAddress address_;
  MediaAddress near_;                      // by --rtmp
  std::unique_ptr<MediaControl> control_;  // null: without --rtmp-control
  std::unique_ptr<HookServer> hooks_;
  Callbacks callbacks_;
};

}  // namespace agora::gateway
