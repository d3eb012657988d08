// SPDX-License-Identifier: LGPL-2.1-or-later
// The way of one remote speaker's sound into the mix: RTMP session, demuxer, decoder, timeline. The
// session may break and be made again, elsewhere too; the timeline goes on.
#pragma once

#include <gst/gst.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "gst/mix/playout-timeline.hpp"
#include "gst/rtmp/rtmp-socket.hpp"

namespace agora {

class Speaker {
 public:
  // Who is told; called from streaming threads, without a lock.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // The session in use ended or failed, and was silent from `since` on (of
    // gst_util_get_timestamp()): play() another.
    virtual void speaker_broke (std::uint32_t uid, GstClockTime since) = 0;
    // Sound comes from the session that play() began: tidy() what it replaced.
    virtual void speaker_heard (std::uint32_t uid) = 0;
    // An encoded frame, due at `at_ns` of the pipeline's clock.
    virtual void speaker_encoded (std::uint32_t uid, GstBuffer *frame, GstCaps *caps,
                                  std::int64_t at_ns) = 0;
    // Whether frames are to be told, and whether sound is to be decoded for the mix.
    virtual bool wants_encoded () const = 0;
    virtual bool wants_mix () const = 0;
    // No decoder for `caps` is installed.
    virtual void speaker_unplayable (std::uint32_t uid, const GstCaps *caps) = 0;
  };

  Speaker(GstBin *owner, std::uint32_t uid, std::shared_ptr<PlayoutTimeline> timeline,
          Watcher *watcher);
  // Only after stop(): the last reference may be let go by a streaming thread.
  ~Speaker();

  Speaker(const Speaker &) = delete;
  Speaker &operator=(const Speaker &) = delete;

  // Plays `url` from now on. What is playing already goes on until the first sound from there, so
  // that a move is not heard. Signalling thread.
  void play (const std::string &url);
  // Makes the server's end of what it hasn't admitted yet. Waits for nothing; stop() is to follow.
  void cut ();
  // Ends its sessions; never from a streaming thread of theirs. Waits for what is still connecting,
  // until `until` at the most. Nothing may follow.
  void stop (Deadline until = told_by());
  // Frees what a finished move left behind. Signalling thread.
  void tidy ();

  // When the last frame came, as gst_util_get_timestamp() counts; none yet:
  // GST_CLOCK_TIME_NONE. Any thread.
  GstClockTime last_frame () const { return last_frame_; }
  // Whether `object` is part of this speaker.
  bool owns (GstObject *object) const;
  // A message of one of its elements said that it failed. Any thread.
  void failed (GstObject *where);

 private:
  class Leg;
  std::array<std::shared_ptr<Leg>, 3> legs () const;
  bool take_over (Leg *leg, unsigned frames);
  void ended (Leg *leg);

  GstBin *owner_;
  std::uint32_t uid_;
  std::shared_ptr<PlayoutTimeline> timeline_;
  Watcher *watcher_;
  std::atomic<bool> hearing_ = false;
  std::atomic<GstClockTime> last_frame_ = GST_CLOCK_TIME_NONE;  // as gst_util_get_timestamp()

  mutable std::mutex mutex_;  // guards the legs below, not what they do
  std::shared_ptr<Leg> current_;
  std::shared_ptr<Leg> next_;
  std::shared_ptr<Leg> old_;
};

}  // namespace agora
