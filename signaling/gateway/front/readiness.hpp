// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One source of the main loop, over epoll, for the sockets of all members. Main thread only.
//
// Why it exists: a GMainContext looks at each of its sources at every wake-up and polls each one's
// file, so that every message costs in proportion to the number of members. With a source for each
// member, as libsoup makes them, 10000 members joined at 79 a second; with this, at 1840, before
// anything else was made faster (docs/performance.md). A storm of reconnecting members would last
// minutes without it.
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

  // A context that is never run, and so costs nothing. To be the thread's default while libsoup
  // attaches a source of Socket::make_source().
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
  std::vector<std::uint64_t> asked_;  // want to write; not yet tried
  std::uint64_t last_id_ = 0;
};

// One member's socket. `fd` must be open until forget().
class Readiness::Socket {
 public:
  enum class Way { in, out };

  Socket(std::shared_ptr<Readiness> readiness, int fd);
  ~Socket();
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;

  // For create_source() of a pollable `stream`. The source's callback, a GPollableSourceFunc, is
  // called when the socket is ready, whatever context the source is attached to.
  GSource *make_source (GObject *stream, Way way);
  // Sends at once. False, with nothing taken: something else waits to be sent first, or the socket
  // is full.
  bool write (std::string_view data);
  // Sends the rest of what write() took, which goes before anything else. True: all of it is sent.
  bool flush ();
  // The last read emptied the socket: there is nothing to read until it is ready again.
  void drained () { drained_ = true; }
  bool is_drained () const { return drained_; }
  // To be called before `fd` is closed: its number may be another file's afterwards.
  void forget ();

 private:
  friend class Readiness;
  struct Waiting;
  static gboolean nothing (GSource *, gint *timeout) noexcept;
  static gboolean never (GSource *, GSourceFunc, gpointer) noexcept;
  static void finalize (GSource *source) noexcept;
  static void call (Waiting *waiting);
  void ready (std::uint32_t events);
  void serve_writer ();
  void watch ();

  const std::shared_ptr<Readiness> readiness_;
  const int fd_;
  const std::uint64_t id_;
  Waiting *in_ = nullptr;   // not owned: its maker's caller holds it
  Waiting *out_ = nullptr;  // not owned
  std::string rest_;        // of what write() took, still to be sent
  std::uint32_t watched_ = 0;
  bool wait_out_ = false;
  bool drained_ = false;
  bool forgotten_ = false;
};

}  // namespace agora::gateway
