// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The mixes that those share who only listen: one a channel, made for the first of them, made again
// when it breaks, and gone a while after the last. Main loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gst/web/mix.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/restart-pause.hpp"

namespace agora::web {

class Audience {
 public:
  // Who hears it.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual const std::shared_ptr<Ear> &ear () const = 0;
    virtual bool wants_levels () const = 0;
    virtual void levels (const std::vector<events::Loudness> &speakers) = 0;
  };

  Audience(const std::string &gateway, std::string app, std::string channel);
  ~Audience();

  // From the next packet on it is heard by whoever chooses it: see choose().
  void add (Listener *listener);
  void remove (Listener *listener);
  // The listener's ear takes its packets from here; also from the next mix, where this one breaks.
  void choose (Listener *listener);
  // After a listener's wants_levels() has changed.
  void measure ();
  bool hears (const std::set<std::uint32_t> &uids) const { return mix_ && mix_->hears(uids); }
  bool is_empty () const { return listeners_.empty(); }
  // Since when; monotonic, in us.
  gint64 empty_since () const { return empty_since_; }
  GstStructure *stats () const { return mix_ ? mix_->stats() : nullptr; }

 private:
  void make ();
  void broke (const GError &error);
  void told (const std::vector<events::Loudness> &speakers);

  const std::string gateway_, app_, channel_;
  std::unique_ptr<Mix> mix_;
  std::map<Listener *, bool> listeners_;  // whether it has chosen this
  gint64 empty_since_ = 0;
  gint64 made_ = 0;  // monotonic, in us
  RestartPause pause_;
  SourcePtr again_;
};

// All of a worker's.
class Audiences {
 public:
  explicit Audiences(std::string gateway) : gateway_(std::move(gateway)) {}

  // Of this channel; made where there is none. It stays until nobody has listened for a while.
  std::shared_ptr<Audience> find (const std::string &app, const std::string &channel);

 private:
  void tidy ();

  const std::string gateway_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Audience>> audiences_;
  SourcePtr timer_;
};

}  // namespace agora::web
