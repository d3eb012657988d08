// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The children of agorasrc (GstChildProxy): "speaker-UID", from the first time that somebody names
// or hears that uid, so that settings outlast comings and goings, and can be made beforehand. One
// that nobody uses goes with its speaker.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "gst/gstagoraspeaker.h"
#include "gst/mix/mixer.hpp"

namespace agora {

// A child by this name; it has a floating reference.
GstAgoraSpeaker *make_speaker (const char *name, std::uint32_t uid, std::shared_ptr<Mixer> mixer);

class SpeakerFaders {
 public:
  SpeakerFaders(GstElement *owner, std::shared_ptr<Mixer> mixer);
  ~SpeakerFaders();
  SpeakerFaders(const SpeakerFaders &) = delete;
  SpeakerFaders &operator=(const SpeakerFaders &) = delete;

  // Makes the child where there is none; emits child-added then. Without a lock held.
  void ensure (std::uint32_t uid);
  // Takes away those whose speakers are not in the mix and that nobody set, controls, watches or
  // holds; emits child-removed. Without a lock held.
  void tidy ();
  // Takes all of them away for good: nobody gets at one any more.
  void clear ();
  // Sets what is controlled to its value at running time `at`. Streaming thread of the mix.
  void sync (GstClockTime at);
  // (transfer full); nullptr for a name that is no speaker's.
  GObject *by_name (const char *name);
  GObject *by_index (unsigned index) const;
  unsigned count () const;

 private:
  bool unused (std::uint32_t uid, GstAgoraSpeaker *child) const;
  // (transfer full); nullptr after clear().
  GstAgoraSpeaker *take (std::uint32_t uid);

  GstElement *owner_;
  std::shared_ptr<Mixer> mixer_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::uint32_t, GstAgoraSpeaker *> children_;
  bool closed_ = false;
};

}  // namespace agora
