// SPDX-License-Identifier: LGPL-2.1-or-later
// Options on the sockets that rtmp2sink and rtmp2src open, which give no access to them: no Nagle
// (it costs over 100 ms at the start), a small send buffer (the kernel's would hide a stalled peer
// for minutes), and a limit for unacknowledged data.
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace agora {

// What the kernel holds of a connection: bytes that the peer's has taken, and those that it hasn't.
struct Sending {
  std::uint64_t taken = 0;
  std::uint64_t waiting = 0;
};

class WeakSocket {
 public:
  explicit WeakSocket(GSocket *socket = nullptr) { g_weak_ref_init(&ref_, socket); }
  ~WeakSocket() { g_weak_ref_clear(&ref_); }
  WeakSocket(const WeakSocket &) = delete;
  WeakSocket &operator=(const WeakSocket &) = delete;
  void set (GSocket *socket) { g_weak_ref_set(&ref_, socket); }
  // A new reference, or nullptr.
  GSocket *get () { return static_cast<GSocket *>(g_weak_ref_get(&ref_)); }

 private:
  GWeakRef ref_;
};

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

  // Of that connection to host:port on which `written` bytes of RTMP have been written; nothing
  // where none is known. Their number tells it from others of this process.
  std::optional<Sending> sending (std::uint64_t written) const;
  // Bytes that the peer has taken on all connections: grows while the way there is open.
  std::uint64_t taken () const;

 private:
  void enter ();

  std::string peer_;
  mutable std::mutex mutex_;  // guards what follows; before the list of all sockets
  mutable WeakSocket found_;  // by sending()
};

}  // namespace agora
