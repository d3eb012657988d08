// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One WebSocket. A fault on it ends this one alone. Frames that the peer doesn't read wait here, up
// to a bound; libsoup's own queue has none.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>

#include "signaling/gateway/options/options.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

// A text frame as it is on the wire. It is made once for all receivers: a server's frames are not
// masked.
class TextFrame {
 public:
  explicit TextFrame(std::string_view text);
  std::string_view bytes () const { return bytes_; }
  std::string_view text () const { return std::string_view(bytes_).substr(head_); }

 private:
  std::string bytes_;
  std::size_t head_;
};

class MemberSocket {
 public:
  struct Callbacks {
    std::function<void(std::string_view text)> text;
    // The last callback; the owner may destroy the object in it.
    std::function<void()> closed;
  };

  MemberSocket(SoupWebsocketConnection *connection, GSocket *socket, const FrameLimits &limits,
               Callbacks callbacks);
  ~MemberSocket();
  MemberSocket(const MemberSocket &) = delete;
  MemberSocket &operator=(const MemberSocket &) = delete;

  void send (const TextFrame &frame);
  // After the frames sent before. `closed` follows within two seconds, whatever the peer does.
  void close (unsigned short code, const std::string &reason);
  GSocket *socket () const { return socket_.get(); }
  std::size_t queued_bytes () const { return queued_; }

 private:
  static void on_message (SoupWebsocketConnection *, gint type, GBytes *message,
                          gpointer self) noexcept;
  static void on_error (SoupWebsocketConnection *, GError *error, gpointer self) noexcept;
  static void on_closed (SoupWebsocketConnection *, gpointer self) noexcept;
  static gboolean on_writable (GSocket *, GIOCondition, gpointer self) noexcept;
  bool writable () const;
  void hand_over (std::string_view text);
  void wait_writable ();
  void flush ();
  void begin_close ();
  void say_too_big ();
  void cut ();

  ObjectPtr<SoupWebsocketConnection> connection_;
  ObjectPtr<GSocket> socket_;
  FrameLimits limits_;
  Callbacks callbacks_;
  // Empty for nearly all of them, and then without memory: a deque has 600 bytes.
  std::list<std::string> queue_;
  std::size_t queued_ = 0;
  std::uint64_t handed_in_ = 0;  // the loop_turn() in which libsoup was last given a frame
  SourcePtr writable_;
  Timer cut_;
  bool closing_ = false;
  unsigned short close_code_ = 0;
  std::string close_reason_;
};

}  // namespace agora::gateway
