// SPDX-License-Identifier: LGPL-2.1-or-later
// Options on the sockets that rtmp2sink and rtmp2src open, which give no access to them: no Nagle
// (it costs over 100 ms at the start), a small send buffer (the kernel's would hide a stalled peer
// for minutes), and a limit for unacknowledged data.
#pragma once

#include <string>

namespace agora {

// While it lives, new connections of this process to host:port get the options. A process-wide
// hook does it, which never goes away, and touches no other connection. Thread-safe.
class SocketOptions {
 public:
  SocketOptions(const std::string &host, unsigned port);
  // The peer of an rtmp:// URL; does nothing for what is none.
  explicit SocketOptions(const std::string &url);
  ~SocketOptions();
  SocketOptions(const SocketOptions &) = delete;
  SocketOptions &operator=(const SocketOptions &) = delete;

 private:
  void enter ();

  std::string peer_;
};

}  // namespace agora
