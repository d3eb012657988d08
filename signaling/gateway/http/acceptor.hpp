// SPDX-License-Identifier: LGPL-2.1-or-later
// Accepts connections for a SoupServer. libsoup's own listener lacks
// - a long queue of the kernel's, emptied fast: whoever finds it full tries again only after a
// second;
// - a bound on connections from one address;
// - an end for connections whose request doesn't come in time, or is no HTTP;
// - a pause when the process is out of files;
// and libsoup 3.2 loses one GSocket with each connection.
#pragma once

#include <libsoup/soup.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

class Acceptor {
 public:
  // Is offered a plain connection and its first bytes, which are still to be read. True: it took
  // the connection.
  using Opener = std::function<bool(GSocket *socket, std::string_view begin)>;

  // `socket` listens already. `certificate`: null for plain HTTP.
  Acceptor(SoupServer *server, GSocket *socket, GTlsCertificate *certificate,
           unsigned connections_per_address, Opener opener = nullptr);
  ~Acceptor();
  Acceptor(const Acceptor &) = delete;
  Acceptor &operator=(const Acceptor &) = delete;

  void start ();
  void stop ();
  // The socket below a request: libsoup knows it only for connections of its own listener.
  static GSocket *socket_of (SoupServerMessage *message);
  // The request has come: the socket has no deadline any more.
  static void release (GSocket *socket);

 private:
  struct Book;
  struct Connection;
  static gboolean on_ready (gint, GIOCondition, gpointer self);
  void accept ();
  bool count_in (GSocket *socket);
  void look (ObjectPtr<GSocket> socket);
  void wait (ObjectPtr<GSocket> socket);
  ObjectPtr<GSocket> forget (int fd);
  void limit (GSocket *socket);
  void end_slow ();
  void serve (GSocket *socket);

  ObjectPtr<SoupServer> server_;
  ObjectPtr<GSocket> socket_;
  ObjectPtr<GTlsCertificate> certificate_;
  unsigned connections_per_address_;
  Opener opener_;
  // Shared with each connection, which takes itself out at its end.
  const std::shared_ptr<Book> book_;
  // For the listener and for connections that have sent nothing yet: one source for all of them.
  const int epoll_;
  SourcePtr ready_;
  std::unordered_map<int, ObjectPtr<GSocket>> silent_;  // by their descriptors
  Timer end_;
  Timer again_;
};

}  // namespace agora::gateway
