// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Browsers in which the operator has shown the admin token: each has a secret of its own instead,
// in a cookie. Pure: time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "signaling/support/secret.hpp"

namespace agora::gateway {

class ConsoleSessions {
 public:
  static constexpr std::int64_t lifetime_ms = std::int64_t{12} * 3600 * 1000;
  static constexpr std::size_t most = 64;

  // The secret of a new one. Of too many, the oldest ends.
  std::string open (std::int64_t mono_ms) {
    forget_old(mono_ms);
    if (sessions_.size() >= most)
      sessions_.pop_front();
    sessions_.push_back({draw_secret(), mono_ms + lifetime_ms});
    return sessions_.back().secret;
  }
  bool good (std::string_view secret, std::int64_t mono_ms) const {
    bool found = false;
    // All of them, whichever it is.
    for (const Session &each : sessions_)
      found |= same_secret(secret, each.secret) && mono_ms < each.until_ms;
    return found;
  }
  void end (std::string_view secret) {
    sessions_.remove_if([&] (const Session &each) { return same_secret(secret, each.secret); });
  }
  void end_all () { sessions_.clear(); }
  std::size_t size () const { return sessions_.size(); }

 private:
  struct Session {
    std::string secret;
    std::int64_t until_ms;
  };
  void forget_old (std::int64_t mono_ms) {
    sessions_.remove_if([&] (const Session &each) { return mono_ms >= each.until_ms; });
  }

  std::list<Session> sessions_;  // the oldest first
};

}  // namespace agora::gateway
