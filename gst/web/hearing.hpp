// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A session that hears: either the mix that a channel's listeners share, or one of its member's
// own. It moves between the two without a gap: the other one plays before it is chosen. Main loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "gst/web/audience.hpp"
#include "gst/web/mix.hpp"
#include "gst/web/session.hpp"

namespace agora::web {

// How a member wants to hear the others.
struct Taste {
  struct Fader {
    double volume = 1;
    bool mute = false;
    bool operator==(const Fader &) const = default;
  };
  unsigned latency_ms = 0;                // 0: the default
  std::map<std::uint32_t, Fader> faders;  // but those at their defaults
  std::set<std::uint32_t> unsubscribed;
  // Whether the shared mix is as good.
  bool is_default () const { return latency_ms == 0 && faders.empty() && unsubscribed.empty(); }
};

class Hearing final : public Session, private Audience::Listener {
 public:
  using Session::Session;
  ~Hearing() override;

  // Moves to a mix of its own, or to the shared one, as soon as that one plays.
  void want_own (bool own);
  // Whether what is heard is a mix of its own.
  bool is_own () const { return heard_ == Which::own; }
  // The member's taste has changed, or who is there to be heard.
  void adapt ();
  // One speaker's fader has changed.
  void adapt (std::uint32_t uid);

  void listen (bool on) override;
  void close (std::function<void()> stopped = {}) override;
  // agorasrc-stats; nullptr where there is no mix.
  GstStructure *mix_stats () const;

 private:
  enum class Which { none, shared, own };

  void prepare () override;
  void admitted () override;
  const std::shared_ptr<Ear> &ear () const override { return ear_; }
  bool wants_levels () const override { return listens(); }
  void levels (const std::vector<events::Loudness> &speakers) override;

  void make (Which which);
  void drop (Which which);
  void choose (Which which);
  void look ();
  bool is_ready (Which which) const;

  const std::shared_ptr<Ear> ear_ = std::make_shared<Ear>();
  std::shared_ptr<Audience> audience_;  // while it is on its list
  std::unique_ptr<Mix> own_;
  Which heard_ = Which::none;
  Which wanted_ = Which::none;
  SourcePtr looking_;  // while it waits for the wanted one
  gint64 until_ = 0;   // that it waits, whatever is missing; monotonic, in us
  gint64 since_ = 0;   // that all of it is there; 0: not yet
};

}  // namespace agora::web
