// SPDX-License-Identifier: LGPL-2.1-or-later
// From AAC frames to the media server: the muxer, and the RTMP session behind it, which comes, goes
// and is replaced while the muxer runs on.
//
// Threads: frames are pushed into the muxer; the muxer's own thread comes out at render()
// and goes on into the session's rtmp2sink, where it may wait for the network; sessions are opened
// from the signalling thread and closed on threads of GStreamer's pool.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "gst/rtmp/push-connection.hpp"
#include "gst/sink/frame-queue.hpp"

namespace agora {

class Uplink {
 public:
  // What the element makes of it. Called with no lock held.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The session's end, from its thread: never waits, never touches the session.
    virtual void leg_broke (const GError &cause) = 0;
    // Another session is in use, and so another URL.
    virtual void leg_taken () = 0;
    // Sound reaches a session again, or for the first time. The muxer's thread.
    virtual void leg_works () = 0;
  };

  Uplink(GstBin *bin, FrameQueue &backlog, Owner &owner);
  ~Uplink();
  Uplink(const Uplink &) = delete;
  Uplink &operator=(const Uplink &) = delete;

  // The muxer in, running; false when an element is missing, which is on the bus then.
  bool start ();
  // Nothing waits any more, and all sessions are gone.
  void stop ();

  // Replaces the session, before the old one is broken if it still works.
  void connect (const std::string &url);
  // A message of a session: true when it was one, and must not go further.
  bool swallow (GstMessage *message);

  // The session takes nothing any more. True when it did until now; leg_works() follows when it
  // does again.
  bool stalled ();
  // Whether the server has taken nothing of what was sent to it for too long; to be asked often.
  // The streaming thread.
  bool stands_still ();

  // Whether all that was sent is out of the muxer, so that send() would not wait.
  bool idle () const;
  // Into the muxer, by one thread at a time. Waits for the network.
  GstFlowReturn send (GstBuffer *buffer, GstCaps *caps, Clock::time_point arrival);
  void send_end ();
  // Waits until the server has taken everything up to the end: for `most`, and no longer than
  // `quiet` while nothing moves. False where it hasn't.
  bool drain (std::chrono::milliseconds quiet, std::chrono::milliseconds most);
  // Something else that drain() waits for has moved on.
  void moved ();

  std::string url () const;
  guint64 sent_bytes () const;
  guint sessions () const;

 private:
  using ConnectionPtr = std::shared_ptr<PushConnection>;
  struct InFlight {
    GstClockTime time;
    GstClockTime duration;
    Clock::time_point arrival;
  };

  static GstFlowReturn on_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer);
  static gboolean on_event (GstPad *pad, GstObject *parent, GstEvent *event);
  static gboolean on_feed_query (GstPad *pad, GstObject *parent, GstQuery *query);
  static gboolean on_gate_query (GstPad *pad, GstObject *parent, GstQuery *query);
  GstFlowReturn render (GstBuffer *buffer);
  ConnectionPtr await_leg ();
  bool is_stale (GstBuffer *buffer);
  void left (GstBuffer *buffer);
  void send_to_former (GstBuffer *buffer);
  void rendered (const ConnectionPtr &leg, gsize bytes);
  void finish ();
  void install (const ConnectionPtr &leg, bool promoted);
  void promote (ConnectionPtr leg);
  void retire (ConnectionPtr leg, bool graceful);
  void outlast (const ConnectionPtr &leg);
  void broke (const ConnectionPtr &leg, const GError &cause);

  GstBin *bin_;
  FrameQueue &backlog_;
  Owner &owner_;
  ObjectPtr<GstElement> muxer_;
  ObjectPtr<GstPad> feed_;  // into the muxer
  ObjectPtr<GstPad> gate_;  // out of it
  CapsPtr fed_;             // caps of the last frame; whoever sends
  CapsPtr muxed_;           // the muxer's caps; its thread

  mutable std::mutex mutex_;  // guards all below; no call leaves the object under it
  std::condition_variable changed_;
  ConnectionPtr leg_;                    // takes the sound
  ConnectionPtr next_;                   // is to take over once it is accepted
  ConnectionPtr former_;                 // took it before, and takes it too for a moment
  PushConnection *in_former_ = nullptr;  // the former one while a frame is on its way into it
  std::vector<ConnectionPtr> legs_;      // all that aren't closed yet
  std::deque<InFlight> in_flight_;       // in the muxer, or on the way out of it
  bool works_ = false;
  bool standing_ = false;     // what was sent is not taken
  Clock::time_point looked_;  // by stands_still()
  Clock::time_point taken_at_;
  guint64 taken_ = 0;
  guint moves_ = 0;
  guint run_ = 0;  // counts the starts
  bool running_ = false;
  bool ended_ = false;
  guint64 sent_bytes_ = 0;
  guint sessions_ = 0;
};

}  // namespace agora
