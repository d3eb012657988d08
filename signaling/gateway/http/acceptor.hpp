// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Accepts connections for a SoupServer. libsoup's own listener lacks
// - a long queue of the kernel's, emptied fast: whoever finds it full tries again only after a
// second;
// - a bound on connections from one address, and on those of strangers in all;
// - TLS handshakes that don't wait for each other;
// - an end for connections whose handshake or request doesn't come in time, or is no HTTP;
// - a reserve of file descriptors;
// and libsoup 3.2 loses one GSocket with each connection.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "signaling/gateway/http/tls-stream.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class Acceptor {
 public:
  // Is offered a plain connection and its first bytes, which are still to be read. True: it took
  // the connection.
  using Opener = std::function<bool(GSocket *socket, std::string_view begin)>;

  struct Bounds {
    unsigned per_address = std::numeric_limits<unsigned>::max();
    // Of those that admit() was not called for, of all addresses together: for one more, the oldest
    // is closed.
    unsigned strangers = std::numeric_limits<unsigned>::max();
  };

  // `socket` listens already. `identity`: null for plain HTTP.
  Acceptor(SoupServer *server, GSocket *socket, TlsIdentity::Ptr identity, Bounds bounds,
           Opener opener = nullptr);
  ~Acceptor();
  Acceptor(const Acceptor &) = delete;
  Acceptor &operator=(const Acceptor &) = delete;

  void start ();
  void stop ();
  // For connections from now on; only where there was one before.
  void set_identity (TlsIdentity::Ptr identity) { identity_ = std::move(identity); }
  // The socket below a request: libsoup knows it only for connections of its own listener.
  static GSocket *socket_of (SoupServerMessage *message);
  // The request has come: the socket has no deadline any more.
  static void release (GSocket *socket);
  // It is no stranger's any more, and makes room for nobody.
  static void admit (GSocket *socket);

 private:
  struct Book;
  struct Connection;
  // One that has not sent its request yet.
  struct Waiting {
    ObjectPtr<GSocket> socket;
    ObjectPtr<GIOStream> tls;  // null until its handshake begins, and without TLS
  };
  static gboolean on_ready (gint, GIOCondition, gpointer self) noexcept;
  void accept ();
  bool count_in (GSocket *socket);
  enum class Room { free, made, none };
  Room make_room (int fd);
  void look (Waiting waiting);
  void look_at_handshake (Waiting waiting);
  void wait (Waiting waiting);
  Waiting forget (int fd);
  void limit (GSocket *socket, unsigned seconds);
  void end_slow ();
  void serve (GSocket *socket, GIOStream *stream);

  ObjectPtr<SoupServer> server_;
  ObjectPtr<GSocket> socket_;
  TlsIdentity::Ptr identity_;
  const bool tls_;
  const Bounds bounds_;
  // Connections that there are descriptors for; learned when they first run out.
  std::size_t capacity_ = std::numeric_limits<std::size_t>::max();
  std::int64_t capacity_until_ = 0;  // monotonic, us
  Opener opener_;
  // Shared with each connection, which takes itself out at its end.
  const std::shared_ptr<Book> book_;
  // For the listener and for connections that have sent nothing yet: one source for all of them.
  const int epoll_;
  SourcePtr ready_;
  std::unordered_map<int, Waiting> waiting_;  // by their descriptors
  Timer end_;
  Timer again_;
};

}  // namespace agora::gateway
