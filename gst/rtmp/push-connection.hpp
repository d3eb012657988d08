// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One RTMP session to one push URL: an rtmp2sink, and the pad that feeds it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gst/common/gst-ptr.hpp"
#include "gst/rtmp/rtmp-connection.hpp"

namespace agora {

// push() and end() belong to the muxer's thread, the rest may be called from any.
class PushConnection : public std::enable_shared_from_this<PushConnection> {
 public:
  // As RtmpConnection::Failed.
  using Failed = std::function<void(PushConnection &from, const GError &error)>;

  // nullptr, and `error` says what is missing. `authorities`: of rtmps://.
  static std::shared_ptr<PushConnection> make (const std::string &url, AuthoritiesPtr authorities,
                                               Failed failed, GError **error);
  ~PushConnection();
  PushConnection(const PushConnection &) = delete;
  PushConnection &operator=(const PushConnection &) = delete;

  const std::string &url () const { return url_; }

  // Begins to connect.
  void open () { connection_.open(authorities_); }
  // One FLV tag of a stream with these caps, `ms` after its beginning. Waits while the session is
  // being made or the network doesn't take more, until close().
  GstFlowReturn push (GstBuffer *tag, GstCaps *caps, std::uint64_t ms);
  void end ();
  // The server has admitted the push.
  bool accepted () const { return connection_.accepted(); }
  guint64 sent_bytes () const;
  // As of RtmpSocket.
  ErrorPtr refusal () const { return connection_.refusal(); }
  // What has been sent, and how far the server's kernel has taken it.
  std::optional<Sending> sending () const { return connection_.sending(); }
  // Makes the server's end of a session that it hasn't admitted yet; what it has taken on still
  // goes out. Waits for nothing. What the session says from now on is no news.
  void cut () { connection_.cut(); }
  // Ends the session; a push() that waits returns. A few milliseconds, and more where it was still
  // connecting: until `until` at the most.
  void close (Deadline until = told_by());

  // Over, by the server's or the network's doing, and why: the first word counts. Under the push
  // switch's lock.
  void set_broken (const GError &cause) {
    if (broken_)
      return;
    // In this order: whoever sees that it is broken may ask why, without the lock.
    cause_.reset(g_error_copy(&cause));
    broken_ = true;
  }
  bool broken () const { return broken_; }
  // Where it is broken() alone.
  const GError *cause () const { return cause_.get(); }

 private:
  PushConnection(const std::string &url, AuthoritiesPtr authorities, ObjectPtr<GstElement> sink,
                 Failed failed);
  void introduce (GstCaps *caps, std::uint32_t stamp);

  const std::string url_;
  const AuthoritiesPtr authorities_;
  const Failed failed_;
  ObjectPtr<GstElement> sink_;
  ObjectPtr<GstPad> pad_;
  // The muxer's thread.
  CapsPtr caps_;                       // of the last tag
  std::optional<std::uint64_t> base_;  // where in the stream the session's time is 0
  std::atomic<bool> broken_ = false;
  ErrorPtr cause_;
  RtmpConnection connection_;  // ends before all that its threads use
};

}  // namespace agora
