// SPDX-License-Identifier: LGPL-2.1-or-later
// One run of agora-relay, a child process, and the line to it: a socket of packets that is shared
// with nobody (signaling/protocol/relay-line). Main loop only. Spawned on the main thread: the
// kernel's parent-death signal comes when the thread that forked ends.
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/protocol/relay-line.hpp"
#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

// A socket that the relay listens on, and by which name it knows it.
struct RelaySocket {
  std::string name;
  GSocket *socket;  // the caller's
};

// Lives as long as its callbacks do.
class RelayProcess : public std::enable_shared_from_this<RelayProcess> {
 public:
  struct Callbacks {
    std::function<void(relay_line::ToGateway message)> message;
    // Called once, when it has ended, with its reason, if it gave one.
    std::function<void(const std::string &last_words)> gone;
  };

  // Null and an error where it can't be started.
  static std::shared_ptr<RelayProcess> spawn (const std::string &program,
                                              const std::vector<RelaySocket> &sockets,
                                              GError **error);
  RelayProcess() = default;
  ~RelayProcess();
  RelayProcess(const RelayProcess &) = delete;
  RelayProcess &operator=(const RelayProcess &) = delete;

  void watch (Callbacks callbacks);
  // No callback is called any more.
  void forget () { callbacks_ = {}; }
  // Never waits. A relay that doesn't read for long is ended.
  void send (const relay_line::ToRelay &message);
  // Hands out what lies unread.
  void read ();
  void terminate ();
  // `why`: what its last words are taken to be.
  void kill (const char *why = nullptr);

 private:
  using Self = std::shared_ptr<RelayProcess>;
  Self *hold () { return new Self(shared_from_this()); }
  static void in_child (gpointer parent);
  static void on_exit (GObject *process, GAsyncResult *result, gpointer data);
  static void on_line (GObject *stream, GAsyncResult *result, gpointer data);
  static gboolean on_readable (gint fd, GIOCondition condition, gpointer data);
  static gboolean on_writable (gint fd, GIOCondition condition, gpointer data);

  void read_line ();
  void take (std::string_view packet);
  bool send_now (std::string_view packet);
  void broken (const std::string &how);
  void close_line ();
  void report ();

  ObjectPtr<GSubprocess> process_;
  ObjectPtr<GDataInputStream> lines_;  // its standard error
  int line_ = -1;
  SourcePtr readable_;
  SourcePtr writable_;  // while packets wait
  std::deque<std::string> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool exited_ = false;
  bool at_end_ = false;  // of its standard error
  std::string last_words_;
  Callbacks callbacks_;
};

}  // namespace agora::gateway
