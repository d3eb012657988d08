// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One RTMP session from one play URL: rtmp2src ! (FLV audio filter) ! flvdemux ! parser ! decoder,
// or, of Opus, an OpusFeed in place of all that.
// A speaker that returns gets a new one: flvdemux does not begin anew after a flush.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "gst/common/concealment.hpp"
#include "gst/rtmp/rtmp-socket.hpp"

namespace agora {

// Decoded sound: interleaved floats of one or two channels.
struct DecodedSound {
  GstClockTime media;  // the sender's time of its first frame
  const float *samples;
  std::size_t frames;
  int rate;
  int channels;
  SoundContext context = {};
};

// Why what comes from a session can't be heard.
struct Unplayable {
  enum Why {
    no_decoder,     // nothing that is installed decodes `caps`
    no_conversion,  // decoded, but in a layout that nothing converts: `caps`
  };
  Why why;
  GstCaps *caps;  // borrowed
};

class PlayConnection {
 public:
  // Called by a streaming thread of the connection, and ended() also by whoever calls open(); with
  // no lock of ours held, and never after close() has returned.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // A frame before it is decoded. Its time is the sender's, modulo FlvAudioFilter::kRewind where
    // it begins; it doesn't wrap after that. Whether to decode it.
    virtual bool frame (PlayConnection &from, GstBuffer *frame, GstCaps *caps) = 0;
    virtual void sound (PlayConnection &from, const DecodedSound &sound) = 0;
    virtual void unplayable (PlayConnection &from, const Unplayable &what) = 0;
    // The session ended or failed.
    virtual void ended (PlayConnection &from) = 0;
    // The same, and the next one would fail alike: the server isn't trusted.
    virtual void untrusted (PlayConnection &from, const GError &) { ended(from); }
  };

  explicit PlayConnection(std::string url) : url_(std::move(url)) {}
  virtual ~PlayConnection() = default;
  PlayConnection(const PlayConnection &) = delete;
  PlayConnection &operator=(const PlayConnection &) = delete;

  const std::string &url () const { return url_; }
  // Begins to connect.
  virtual void open () = 0;
  // Makes the server's end of what it hasn't admitted yet. Waits for nothing. What it says from now
  // on is no news.
  virtual void cut () = 0;
  virtual bool ending () const = 0;
  // Ends the session; its threads are over when this returns. Waits for what is still connecting,
  // until `until` at the most. Never from a thread of its own, nor with a lock held that such a
  // thread takes.
  virtual void close (Deadline until) = 0;
  // How much came so far, as a number that grows with it: by what keeps a session open and is no
  // data, less than once in some seconds. Any thread, as the next one.
  virtual std::uint64_t came () const = 0;
  // Why nothing of what came since the last sound is heard, for a sentence like "It is not heard:
  // ….". Empty where somebody has been told already, or nobody wants to hear it.
  virtual std::string why_mute () const = 0;

 private:
  const std::string url_;
};

using MakePlayConnection = std::function<std::shared_ptr<PlayConnection>(
    const std::string &url, PlayConnection::Watcher *watcher)>;

// Over GStreamer's elements. `watcher` must outlive it, or its close().
// `authorities`: of rtmps://.
std::shared_ptr<PlayConnection> make_play_connection (const std::string &url,
                                                      PlayConnection::Watcher *watcher,
                                                      AuthoritiesPtr authorities = nullptr);

}  // namespace agora
