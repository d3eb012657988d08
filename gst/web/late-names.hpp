// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// New names of speakers that are known already. Anybody may take one as often as a gateway allows,
// and the line has no room for all of them: of each speaker the last one is told, once it has.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>

#include "signaling/support/glib-ptr.hpp"

namespace agora::web {

class LateNames {
 public:
  // Tells this speaker's name as it is by now. False: there was no room.
  using Tell = std::function<bool(std::uint32_t uid)>;

  explicit LateNames(Tell tell) : tell_(std::move(tell)) {}

  // It has another name.
  void changed (std::uint32_t uid);
  // It is told nothing more of.
  void forget (std::uint32_t uid) { late_.erase(uid); }
  void clear ();

 private:
  void wait ();
  void try_again ();

  const Tell tell_;
  std::set<std::uint32_t> late_;
  SourcePtr again_;
};

}  // namespace agora::web
