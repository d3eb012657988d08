// SPDX-License-Identifier: LGPL-2.1-or-later
// One source of the main loop for the sockets of all members. A GMainContext looks at each of its
// sources at every wake-up, and polls each one's file: with thousands of members, every message
// would cost in proportion to their number. Main thread only.
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agora::gateway {

class Readiness : public std::enable_shared_from_this<Readiness> {
 public:
  class Socket;

  Readiness();
  ~Readiness();
  Readiness(const Readiness &) = delete;
  Readiness &operator=(const Readiness &) = delete;

  // The default context of whoever makes sources by Socket::make_source() and attaches them: it is
  // never run, and so costs nothing.
  GMainContext *dormant () const { return dormant_; }

 private:
  struct Source;
  void dispatch ();
  Socket *find (std::uint64_t id) const;

  const int epoll_;
  GMainContext *dormant_;
  bool calling_ = false;
  bool sleeping_ = false;  // dormant_ is the thread's default, until what is called returns
  Source *source_;
  std::unordered_map<std::uint64_t, Socket *> sockets_;
  std::vector<std::uint64_t> asked_;  // to write, and not yet known to have to wait
  std::uint64_t last_id_ = 0;
};

// One member's socket; `fd` is open for as long as it is not forgotten.
class Readiness::Socket {
 public:
  enum class Way { in, out };

  Socket(std::shared_ptr<Readiness> readiness, int fd);
  ~Socket();
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;

  // For create_source() of a pollable `stream`: its callback, a GPollableSourceFunc, is called when
  // the socket is ready, wherever the source is attached.
  GSource *make_source (GObject *stream, Way way);
  // Sends now what nobody's source waits to send before; false: nothing was taken.
  bool write (std::string_view data);
  // Sends what write() has left, which has to go first; whether all of it is gone.
  bool flush ();
  // The last read emptied it: until it is ready again there is nothing to be had.
  void drained () { drained_ = true; }
  bool is_drained () const { return drained_; }
  // Before the file is closed, since its number may be another's afterwards.
  void forget ();

 private:
  friend class Readiness;
  struct Waiting;
  static gboolean nothing (GSource *, gint *timeout);
  static gboolean never (GSource *, GSourceFunc, gpointer);
  static void finalize (GSource *source);
  static void call (Waiting *waiting);
  void ready (std::uint32_t events);
  void serve_writer ();
  void watch ();

  const std::shared_ptr<Readiness> readiness_;
  const int fd_;
  const std::uint64_t id_;
  Waiting *in_ = nullptr;   // not owned: whoever asked for it holds it
  Waiting *out_ = nullptr;  // the same
  std::string rest_;        // of what write() took
  std::uint32_t watched_ = 0;
  bool wait_out_ = false;
  bool drained_ = false;
  bool forgotten_ = false;
};

}  // namespace agora::gateway
