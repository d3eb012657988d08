// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which RTMP session one speaker is heard from. A session may break and be made again, elsewhere
// too: the new one is made before the old one is broken, so that a move is not heard.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gst/common/voice-codec.hpp"
#include "gst/rtmp/play-connection.hpp"
#include "gst/src/crossing.hpp"

namespace agora {

class PlaySwitch final : private PlayConnection::Watcher {
 public:
  // Called by streaming threads, with no lock of ours held but the one that orders what they bring;
  // never after stop() has returned.
  class Output {
   public:
    virtual ~Output() = default;
    // See PlayConnection::Watcher; of the session in use alone.
    virtual bool frame (GstBuffer *frame, GstCaps *caps) = 0;
    virtual void sound (const DecodedSound &sound) = 0;
    virtual void unplayable (const Unplayable &what) = 0;
    // What comes next is from another session than what came before.
    virtual void moved () = 0;
    // Sound is to come so much later: whether that can be waited for without a gap already. 0: it
    // isn't any more.
    virtual bool brace (GstClockTimeDiff later) = 0;
    // As moved(), but it goes on without a hole, in the time of what came before; the same sound
    // only comes so much later from now on.
    virtual void crossed (GstClockTimeDiff later) = 0;
    // Sound comes from the session that play() began: tidy() what it replaced.
    virtual void heard () = 0;
    // The session in use ended or failed, or the one that play() began last; it was silent from
    // `since` on (of gst_util_get_timestamp()): play() another, unless that has happened since.
    virtual void broke (const std::string &url, GstClockTime since) = 0;
    // The same, and another one would fail alike: the server isn't trusted.
    virtual void untrusted (const GError &) {}
  };

  PlaySwitch(Output *output, MakePlayConnection make);
  // Only after stop().
  ~PlaySwitch() override;
  PlaySwitch(const PlaySwitch &) = delete;
  PlaySwitch &operator=(const PlaySwitch &) = delete;

  // Plays `url` from now on. What is playing already goes on until the first sound from there.
  void play (const std::string &url);
  // Ends what a finished move left behind. Not from a streaming thread of a session.
  void tidy ();
  // Makes the server's end of what it hasn't admitted yet. Waits for nothing; stop() is to follow.
  void cut ();
  // Ends its sessions; never from a streaming thread of theirs. Waits for what is still connecting,
  // until `until` at the most. Nothing may follow.
  void stop (Deadline until);

  // Whether a session plays, or is being made. Any thread, as the following.
  bool busy () const;
  // When the last frame came, as gst_util_get_timestamp() counts; none yet: GST_CLOCK_TIME_NONE.
  GstClockTime last_frame () const { return last_frame_; }
  // Of the session in use, or the first one: see PlayConnection. Another session that brings as
  // much is another number; 0 as long as nothing came.
  std::uint64_t came () const;
  std::string why_mute () const;

 private:
  using Connection = std::shared_ptr<PlayConnection>;

  bool frame (PlayConnection &from, GstBuffer *frame, GstCaps *caps) override;
  void sound (PlayConnection &from, const DecodedSound &sound) override;
  void unplayable (PlayConnection &from, const Unplayable &what) override;
  void ended (PlayConnection &from) override;
  void untrusted (PlayConnection &from, const GError &error) override;
  bool take_end (const PlayConnection &from);
  std::vector<Connection> all () const;
  Connection first () const;
  enum class Place { none, current, next };
  Place place_of (const PlayConnection &from) const;
  bool crosses_to_next () const;
  // With the order held.
  bool take_over (const PlayConnection &from, GstBuffer *frame, GstCaps *caps);
  bool crosses (unsigned run, GstBuffer *frame, GstCaps *caps);
  void drop_crossing ();
  void brace ();
  bool look_whether_crossed ();
  bool promote (unsigned run);
  bool give (GstBuffer *frame, GstCaps *caps);

  Output *const output_;
  const MakePlayConnection make_;
  std::atomic<GstClockTime> last_frame_ = GST_CLOCK_TIME_NONE;

  // Held while something is brought, so that two sessions don't at once; before the other one, and
  // before those of the output. Guards what follows.
  std::mutex order_;
  std::optional<VoiceCodec> codec_;     // of what plays
  bool decoded_ = false;                // somebody listens to it
  GstClockTimeDiff shift_ = 0;          // of its timestamps
  std::unique_ptr<Crossing> crossing_;  // to another codec
  unsigned crossing_run_ = 0;           // which play() made the session that is crossed to
  GstClockTime crossing_since_ = 0;
  bool braced_ = false;  // the output waits for it, or is to

  // Guards what follows, and is a leaf. Nothing is closed under it, and no connection's last
  // reference dropped: their threads take it.
  mutable std::mutex mutex_;
  Connection current_;
  Connection next_;
  std::vector<Connection> replaced_;  // until tidy()
  unsigned next_frames_ = 0;          // frames that next_ gave so far
  unsigned run_ = 0;                  // counts the calls of play()
  bool over_ = false;                 // the current one ended
  bool stopped_ = false;
};

}  // namespace agora
