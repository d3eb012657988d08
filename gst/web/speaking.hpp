// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A session that speaks: what its peer says goes into an agorasink of its member's. Main loop.
#pragma once

#include "gst/web/session.hpp"

namespace agora::web {

class Speaking final : public Session {
 public:
  using Session::Session;

  // On the air from here on: see Member, which knows when that may be.
  void begin (bool muted);
  bool has_begun () const { return sink_ != nullptr; }
  void set_muted (bool muted);
  // agorasink-stats; nullptr before it has begun.
  GstStructure *stats () const;

 private:
  void prepare () override;

  ObjectPtr<GstPad> voice_;
  gulong unheard_ = 0;  // the probe that drops what is said before it may be heard
  ObjectPtr<GstElement> sink_;
};

}  // namespace agora::web
