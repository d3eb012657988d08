// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the service manager (systemd, Type=notify) is told: when the gateway serves, reads its files
// anew, and ends; and that its main loop goes round. Without one, nobody is told anything. Main
// loop only.
#pragma once

#include <cstdint>
#include <string>

#include "signaling/support/timer.hpp"

namespace agora::gateway {

class ServiceManager {
 public:
  ServiceManager();
  ServiceManager(const ServiceManager &) = delete;
  ServiceManager &operator=(const ServiceManager &) = delete;

  // `status`: one line, which `systemctl status` shows.
  void ready (const std::string &status);
  void reloading ();
  // `problem`: why all stays as it was; "": it has been read.
  void reloaded (const std::string &problem);
  // `seconds`: what members have to move.
  void stopping (unsigned seconds);

 private:
  void feed ();

  std::string status_;            // "": it doesn't serve yet, or no more
  std::uint64_t watched_us_ = 0;  // it wants a sign of life this often; 0: it doesn't
  Timer watchdog_;
};

}  // namespace agora::gateway
