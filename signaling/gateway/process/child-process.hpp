// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One run of a child process, and the line to it: a socket of packets that is shared with nobody.
// What the packets say is the caller's. It ends when the gateway does, however that happens. Main
// loop only. Spawned on the main thread: the kernel's parent-death signal comes when the thread
// that forked ends.
#pragma once

#include <gio/gio.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/support/descriptor.hpp"
#include "signaling/support/glib-ptr.hpp"
#include "signaling/support/timer.hpp"

namespace agora::gateway {

// A socket that the child listens on, and by which name it knows it.
struct ChildSocket {
  std::string name;
  GSocket *socket;  // the caller's
};

struct ChildSetup {
  std::string name;  // in the log
  std::string program;
  std::vector<ChildSocket> sockets;  // where there are any: --fds=NAME=NUMBER,…
  std::size_t longest_packet = 0;    // that it may send
};

// Lives as long as its callbacks do.
class ChildProcess : public std::enable_shared_from_this<ChildProcess> {
 public:
  struct Callbacks {
    // One packet. "": taken; else which rule of the line it breaks: the child is ended.
    std::function<std::string(std::string_view packet)> packet;
    // Called once, when it has ended, with its reason, if it gave one.
    std::function<void(const std::string &last_words)> gone;
  };

  // Null and an error where it can't be started. The line is its descriptor 3.
  static std::shared_ptr<ChildProcess> spawn (const ChildSetup &setup, GError **error);
  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(const ChildProcess &) = delete;
  ChildProcess &operator=(const ChildProcess &) = delete;

  void watch (Callbacks callbacks);
  // No callback is called any more.
  void forget () { callbacks_ = {}; }
  // Never waits. A child that doesn't read for long is ended. `gift`: a descriptor that goes with
  // it.
  void send (std::string packet, Descriptor gift = {});
  // Hands out what lies unread.
  void read ();
  void terminate ();
  // `why`: what its last words are taken to be.
  void kill (const char *why = nullptr);
  void set_last_words (const std::string &words) { last_words_ = words; }

 private:
  using Self = std::shared_ptr<ChildProcess>;
  Self *hold () { return new Self(shared_from_this()); }
  static void in_child (gpointer parent) noexcept;
  static void on_exit (GObject *process, GAsyncResult *result, gpointer data) noexcept;
  static void on_text (GObject *stream, GAsyncResult *result, gpointer data) noexcept;
  static gboolean on_readable (gint fd, GIOCondition condition, gpointer data) noexcept;
  static gboolean on_writable (gint fd, GIOCondition condition, gpointer data) noexcept;

  void read_text ();
  void take_text (std::string_view text);
  void end_line ();
  struct Packet {
    std::string text;
    Descriptor gift;
  };
  bool send_now (const Packet &packet);
  void broken (const std::string &how);
  void close_line ();
  void report ();

  std::string name_;
  ObjectPtr<GSubprocess> process_;
  ObjectPtr<GCancellable> reading_{g_cancellable_new()};  // of its standard error
  Timer last_text_{[this] { g_cancellable_cancel(reading_.get()); }};
  std::array<char, 4096> text_{};  // of its standard error
  std::string log_line_;           // what has come of one, up to a bound
  int line_ = -1;
  std::vector<char> packet_;
  SourcePtr readable_;
  SourcePtr writable_;  // while packets wait
  std::deque<Packet> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool exited_ = false;
  bool at_end_ = false;  // of its standard error
  std::string last_words_;
  Callbacks callbacks_;
};

}  // namespace agora::gateway
