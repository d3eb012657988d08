// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The control module of nginx-rtmp.
#pragma once

#include <memory>
#include <string>

#include "signaling/gateway/media/control-http.hpp"
#include "signaling/gateway/media/media-control.hpp"

namespace agora::gateway {

class NginxControl : public MediaControl {
 public:
  NginxControl(std::string control_url, std::string app);
  ~NginxControl() override;

  void drop (const DropMedia &what, std::function<void()> done) override;

 private:
  struct Drop;
  void try_drop (const std::shared_ptr<Drop> &drop);

  std::string control_url_;
  std::string app_;
  ControlHttp http_;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
};

}  // namespace agora::gateway
