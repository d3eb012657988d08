// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One stream of agorasink's on the air, in as many codecs as are wanted: a publication of each,
// made when it is first wanted.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gst/common/voice-codec.hpp"
#include "gst/sink/publication.hpp"

namespace agora {

// Thread-safe; of what isn't said here, the threads are those of Publication.
class Broadcast {
 public:
  // Both must outlive stop().
  Broadcast(GstBin *bin, Publication::Owner &owner, OnAir &air, const VoiceCodecs &wanted);
  Broadcast(const Broadcast &) = delete;
  Broadcast &operator=(const Broadcast &) = delete;

  bool start ();
  void stop ();
  bool has (const Publication &one) const;

  // Which codecs somebody hears. One that isn't among them any more goes off the air as soon as all
  // that are have a session that works: nobody is to hear a gap who goes from one to the other.
  void set_wanted (const VoiceCodecs &wanted);
  // Those, and what isn't off the air yet.
  VoiceCodecs on_air () const;
  void connect (VoiceCodec codec, const std::string &url, AuthoritiesPtr authorities);
  void disconnect ();
  // A session of one of them works: whether those of all that are wanted do.
  bool session_works ();

  // The streaming thread.
  bool take (VoiceCodec codec, Frame frame);
  void clear ();
  bool end ();
  bool ended () const { return ended_; }
  bool failed () const;
  bool drain ();

  void moved ();
  void wake ();
  void limit_changed ();
  FrameQueue::Totals totals () const;
  // Of the first codec that has one.
  std::string url () const;
  guint64 sent_bytes () const;
  guint sessions () const;

 private:
  using PublicationPtr = std::shared_ptr<Publication>;

  PublicationPtr find (VoiceCodec codec) const;
  PublicationPtr make (VoiceCodec codec);
  std::vector<PublicationPtr> all () const;
  bool all_work () const;
  void leave_unwanted ();

  GstBin *const bin_;
  Publication::Owner &owner_;
  OnAir &air_;
  std::atomic<bool> ended_ = false;

  mutable std::mutex mutex_;  // guards what follows; no call leaves the object under it
  VoiceCodecs wanted_;
  std::array<PublicationPtr, kVoiceCodecs.size()> of_codec_;
  bool stopped_ = false;
};

}  // namespace agora
