// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which RTMP session takes the tags now: sessions come, go and are replaced while the stream runs
// on, and a new one is made before the old one is broken.
//
// Threads: the tags come from the muxer's thread, which waits here while no session takes them, and
// in a session's rtmp2sink for the network; sessions are opened from the signalling thread and
// closed on threads of GStreamer's pool.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gst/rtmp/push-connection.hpp"
#include "gst/sink/tag-maker.hpp"

namespace agora {

class PushSwitch {
 public:
  // What the element makes of it. Called with no lock held.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Keeps the owner, and with it the push switch, for work on another thread.
    virtual std::shared_ptr<void> hold () = 0;
    // The session's end, from its thread: never waits, never touches the session.
    virtual void connection_broke (const GError &cause) = 0;
    // One that was to replace the session in use doesn't come: that goes on, under the old URL. A
    // thread of GStreamer's pool.
    virtual void connection_refused () = 0;
    // Another session is in use, and so another URL.
    virtual void connection_taken () = 0;
    // Sound reaches a session again, or for the first time. The muxer's thread.
    virtual void connection_works () = 0;
  };
  enum class Outcome { sent, expired, stopped };

  PushSwitch(GstBin *bin, Owner &owner);
  ~PushSwitch();
  PushSwitch(const PushSwitch &) = delete;
  PushSwitch &operator=(const PushSwitch &) = delete;

  // False when the element is missing, which is on the bus then.
  bool start ();
  // Nothing waits any more, and all sessions are gone.
  void stop ();

  // Replaces the session, before the old one is broken if it still works.
  // `authorities`: of rtmps://.
  void connect (const std::string &url, AuthoritiesPtr authorities = nullptr);
  // Ends all sessions, and waits for another connect().
  void disconnect ();

  // The muxer's thread. Waits for a session that takes it.
  Outcome push (const FlvTag &tag);
  void end ();

  // The session takes nothing any more. True when it did until now; connection_works() follows
  // when it does again.
  bool stalled ();
  // Whether the server has taken nothing of what was sent to it for too long; to be asked often.
  // The streaming thread.
  bool stands_still ();
  // Waits until the server has taken everything up to the end: for `most`, and no longer than
  // `quiet` while nothing moves. False where it hasn't.
  bool drain (std::chrono::milliseconds quiet, std::chrono::milliseconds most);
  // Something else that drain() waits for has moved on.
  void moved ();

  // Sound reaches a session.
  bool works () const { return works_; }
  std::string url () const;
  guint64 sent_bytes () const { return sent_bytes_; }
  guint sessions () const;

 private:
  using Clock = std::chrono::steady_clock;
  using ConnectionPtr = std::shared_ptr<PushConnection>;
  // Where a tag goes.
  struct Route {
    ConnectionPtr to;
    bool to_former = false;  // too, for a moment
  };

  Route await_route ();
  void push_former (const FlvTag &tag);
  void pushed (const ConnectionPtr &connection, gsize bytes);
  void install (const ConnectionPtr &connection, guint run, bool promoted);
  void promote (ConnectionPtr connection, guint run);
  void retire (ConnectionPtr connection, bool graceful);
  void outlast (const ConnectionPtr &connection);
  void broke (const ConnectionPtr &connection, const GError &error);
  void run_held (std::function<void()> what);

  GstBin *bin_;
  Owner &owner_;
  std::atomic<guint64> sent_bytes_ = 0;
  std::atomic<bool> works_ = false;     // written under the lock
  std::atomic<bool> standing_ = false;  // what was sent is not taken; written under the lock
  Clock::time_point looked_;            // by stands_still(), on its thread

  mutable std::mutex mutex_;  // guards all below; no call leaves the object under it
  std::condition_variable changed_;
  ConnectionPtr current_;                   // takes the sound
  ConnectionPtr next_;                      // is to take over once it is accepted
  ConnectionPtr former_;                    // took it before, and takes it too for a moment
  PushConnection *in_former_ = nullptr;     // the former one while a tag is on its way into it
  std::vector<ConnectionPtr> connections_;  // all that aren't closed yet
  Clock::time_point taken_at_;
  guint64 taken_ = 0;
  guint moves_ = 0;
  guint run_ = 0;  // counts the starts
  bool running_ = false;
  bool ended_ = false;
  guint sessions_ = 0;
};

}  // namespace agora
