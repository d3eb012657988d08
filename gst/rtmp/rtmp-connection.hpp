// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One RTMP connection of ours, whichever way its media goes: the element that connects (rtmp2sink
// or rtmp2src), its socket, and a bus of its own. It is nobody's child: it connects and ends
// whatever state the pipeline is in, and no message of it can reach the application.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>

#include "gst/common/gst-ptr.hpp"
#include "gst/rtmp/rtmp-socket.hpp"

namespace agora {

// Thread-safe.
class RtmpConnection {
 public:
  // An ERROR of one of its elements, with the text for a person; where RtmpSocket::refusal() says
  // why, that. On the thread that posts it, with no lock of ours held; none comes after close() has
  // returned.
  using Failed = std::function<void(const GError &error)>;

  // `session`: the rtmp2sink or rtmp2src; `whole`: the bin that holds it.
  RtmpConnection(GstElement *session, GstElement *whole, Failed failed);
  ~RtmpConnection();
  RtmpConnection(const RtmpConnection &) = delete;
  RtmpConnection &operator=(const RtmpConnection &) = delete;

  // Begins to connect. False where the elements can't start. One that is closed already, or while
  // it opens, stays closed. `media`: as of RtmpSocket::apply().
  bool open (AuthoritiesPtr authorities = nullptr, const LastMedia *media = nullptr);
  // The server has admitted it.
  bool accepted () const { return received() > 0; }
  // Bytes of what the server sent after that.
  std::uint64_t received () const;
  // Makes the server's end of what it hasn't admitted yet; what it has goes on until close(). Waits
  // for nothing. What the connection says from now on is no news.
  void cut ();
  bool ending () const { return ending_; }
  // Ends it; its threads are over when this returns, also where another thread closes it. A few
  // milliseconds, and more where it was still connecting: until `until` at the most. Never from a
  // thread of its own, nor with a lock held that such a thread takes.
  void close (Deadline until);

  // What has been sent, and how far the server's kernel has taken it.
  std::optional<Sending> sending () const { return socket_.sending(); }
  // As of RtmpSocket.
  ErrorPtr refusal () const { return socket_.refusal(); }

 private:
  static GstBusSyncReply message (GstBus *bus, GstMessage *message, gpointer self) noexcept;
  void stop ();

  RtmpSocket socket_;
  ObjectPtr<GstElement> session_;
  ObjectPtr<GstElement> whole_;
  ObjectPtr<GstBus> bus_;
  const Failed failed_;
  std::atomic<bool> opened_ = false;
  std::atomic<bool> ending_ = false;
  std::atomic<bool> closed_ = false;
};

}  // namespace agora
