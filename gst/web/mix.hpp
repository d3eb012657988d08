// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What is said in a channel, mixed and encoded once for as many as hear it: agorasrc and opusenc.
// A member who speaks has one of its own, without its voice; those who only listen share one.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "gst/web/events.hpp"
#include "gst/web/peer.hpp"
#include "gst/web/pipeline.hpp"

typedef struct _AgoraClient AgoraClient;

namespace agora::web {

class Fan;

// One listener's end: its packets are those of the mix that was chosen last.
class Ear {
 public:
  // Main loop. `peer` stays until close().
  void open (Peer *peer);
  void close ();
  // From the next packet on, those of this mix and of no other.
  void choose (const Fan *mix);
  // The streaming thread of `from`.
  void take (const Fan *from, GstBuffer *packet);

 private:
  // Guards what follows; held while a packet is pushed, which never waits and calls nobody.
  std::mutex mutex_;
  Peer *peer_ = nullptr;
  const Fan *chosen_ = nullptr;
};

// Hands each packet of a mix to those who hear it. It outlives the Mix while its pipeline stops.
class Fan {
 public:
  void add (std::shared_ptr<Ear> ear);
  void remove (const Ear *ear);
  void clear ();
  std::size_t size () const;
  // The mix's streaming thread. Nobody waits.
  void give (GstBuffer *packet) const;

 private:
  using Ears = std::vector<std::shared_ptr<Ear>>;
  template <typename Change>
  void change (const Change &how);

  mutable std::mutex mutex_;  // guards the pointer; a leaf
  std::shared_ptr<const Ears> ears_ = std::make_shared<Ears>();
};

// All but what is said otherwise: the main loop.
class Mix {
 public:
  struct Settings {
    AgoraClient *client = nullptr;  // whose mix it is; or else, of nobody:
    std::string gateway;
    std::string app;
    std::string channel;
  };
  struct Callbacks {
    std::function<void(const GError &)> failed;  // once; it gives nothing any more
    std::function<void(const std::vector<events::Loudness> &)> levels;
  };
  static constexpr unsigned default_latency_ms = 60;

  Mix(const Settings &settings, Callbacks callbacks);
  ~Mix();

  // False: an element refused; `failed` tells.
  bool play ();
  // Gives nothing any more; it stops elsewhere.
  void end ();

  Fan &fan () const { return *fan_; }

  // 0: the default, as early as the network allows; else as asked.
  void set_latency (unsigned ms);
  unsigned latency () const { return latency_ms_; }
  void set_measuring (bool measuring);
  void set_fader (std::uint32_t uid, double volume, bool mute);
  // Whom to listen to; empty: everybody.
  void set_speakers (const std::set<std::uint32_t> &uids);
  // Whether the sound of each of these has come in.
  bool hears (const std::set<std::uint32_t> &uids) const;
  // agorasrc-stats.
  GstStructure *stats () const;

 private:
  void told (const GstStructure &message);

  const Callbacks callbacks_;
  const std::shared_ptr<Fan> fan_ = std::make_shared<Fan>();
  Pipeline pipeline_;
  ObjectPtr<GstElement> source_;
  unsigned latency_ms_ = default_latency_ms;
};

}  // namespace agora::web
