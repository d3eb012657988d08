// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From AAC frames to FLV tags: a flvmux between two pads of ours.
//
// Threads: frames are sent in by one thread at a time; the tags come out on the muxer's own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "gst/common/gst-ptr.hpp"
#include "gst/sink/tag-maker.hpp"

namespace agora {

class FlvMuxer final : public TagMaker {
 public:
  FlvMuxer(GstBin *bin, Taker &taker);
  ~FlvMuxer() override;
  FlvMuxer(const FlvMuxer &) = delete;
  FlvMuxer &operator=(const FlvMuxer &) = delete;

  bool start () override;
  void stop () override;

  // Whether all that was sent is taken.
  bool idle () const override { return running_ && under_way_ == 0; }
  GstFlowReturn send (GstBuffer *frame, GstCaps *caps,
                      std::chrono::steady_clock::time_point expires) override;
  void send_end () override;

 private:
  struct Sent {
    GstClockTime time;  // its PTS, by which its tag is known
    std::uint64_t ms;
    GstClockTime duration;
    std::chrono::steady_clock::time_point expires;
  };

  static GstFlowReturn on_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer) noexcept;
  static gboolean on_event (GstPad *pad, GstObject *parent, GstEvent *event) noexcept;
  static gboolean on_feed_query (GstPad *pad, GstObject *parent, GstQuery *query) noexcept;
  static gboolean on_gate_query (GstPad *pad, GstObject *parent, GstQuery *query) noexcept;
  GstFlowReturn muxed (BufferPtr buffer);
  std::optional<Sent> find_sent (GstClockTime time);
  void no_more ();
  std::uint64_t stream_ms (GstClockTime time);

  GstBin *bin_;
  Taker &taker_;
  ObjectPtr<GstElement> element_;
  ObjectPtr<GstPad> feed_;             // into the muxer
  ObjectPtr<GstPad> gate_;             // out of it
  CapsPtr fed_;                        // of the last frame; whoever sends
  std::optional<GstClockTime> first_;  // the stream's beginning; whoever sends
  CapsPtr muxed_;                      // of the tags; the muxer's thread

  std::atomic<bool> running_ = false;
  std::atomic<std::size_t> under_way_ = 0;  // frames that were sent and not yet taken
  // Guards what is still to come out of the muxer, in order; a leaf: nothing else is taken under
  // it.
  std::mutex mutex_;
  std::deque<Sent> sent_;
};

}  // namespace agora
