// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From encoded frames to FLV tags, whoever makes them: flvmux (flv-muxer.hpp), or of Opus, which it
// doesn't know, opus-tagger.hpp.
#pragma once

#include <chrono>
#include <cstdint>

#include "gst/common/gst-ptr.hpp"

namespace agora {

// A frame as a tag, on its way out.
struct FlvTag {
  BufferPtr buffer;
  GstCaps *caps = nullptr;  // of the stream, with its headers; the maker's
  std::uint64_t ms = 0;     // since the stream began; never wraps
  GstClockTime duration = 0;
  // It came so late that nobody wants it any more.
  std::chrono::steady_clock::time_point expires;
};

// Frames are sent in by one thread at a time.
class TagMaker {
 public:
  // Where the tags go. Called with no lock of the maker's held; may wait.
  class Taker {
   public:
    virtual ~Taker() = default;
    virtual GstFlowReturn take_tag (const FlvTag &tag) = 0;
    // All that was sent in before send_end() has been taken.
    virtual void tags_end () = 0;
  };

  virtual ~TagMaker() = default;
  // False when an element is missing, which is on the bus then.
  virtual bool start () = 0;
  // After it no tag comes. The taker must not wait any more.
  virtual void stop () = 0;

  // Whether send() would not wait now. Any thread.
  virtual bool idle () const = 0;
  // Waits while the taker does.
  virtual GstFlowReturn send (GstBuffer *frame, GstCaps *caps,
                              std::chrono::steady_clock::time_point expires) = 0;
  virtual void send_end () = 0;
};

}  // namespace agora
