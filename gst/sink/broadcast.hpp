// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One stream of agorasink's on the air, in as many codecs as are wanted: a publication of each,
// made when it is first wanted.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
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

  // Who hears one that isn't wanted any more: nobody, or those who are told now to go over.
  enum class Leaving { unheard, moves };
  // Which codecs somebody hears. One that isn't among them any more goes off the air once all that
  // are have a session that works, and where somebody has to go over from it a while after that.
  void set_wanted (const VoiceCodecs &wanted, Leaving leaving);
  bool wants (VoiceCodec codec) const;
  // Those, and what isn't off the air yet.
  VoiceCodecs on_air () const;
  void connect (VoiceCodec codec, const std::string &url, AuthoritiesPtr authorities);
  void disconnect ();
  // A session of one of them works: whether those of all that are wanted do.
  bool session_works ();

  // The streaming thread.
  bool take (VoiceCodec codec, Frame frame);
  // To be asked with each frame: whether one has gone off the air.
  bool left ();
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
  bool leave_unwanted ();
  bool is_due (VoiceCodec codec, bool is_on_air);

  GstBin *const bin_;
  Publication::Owner &owner_;
  OnAir &air_;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> leaving_ = false;  // one is to go off the air

  mutable std::mutex mutex_;  // guards what follows; no call leaves the object under it
  VoiceCodecs wanted_;
  Leaving how_ = Leaving::unheard;
  std::array<PublicationPtr, kVoiceCodecs.size()> of_codec_;
  std::array<std::optional<Clock::time_point>, kVoiceCodecs.size()> leaves_at_;
  bool stopped_ = false;
};

}  // namespace agora
