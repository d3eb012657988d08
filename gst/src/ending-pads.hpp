// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "gst/src/speaker-pads.hpp"

namespace agora {

// Pads whose EOS is on its way out; their names are taken until they are gone. Thread-safe.
class EndingPads {
 public:
  bool contains (std::uint32_t uid) const;
  void add (std::shared_ptr<SpeakerPad> pad);
  // Takes the pad away; waits for what is downstream.
  void remove (std::uint32_t uid);
  void clear ();

 private:
  mutable std::mutex mutex_;  // a leaf
  std::map<std::uint32_t, std::shared_ptr<SpeakerPad>> pads_;
};

}  // namespace agora
