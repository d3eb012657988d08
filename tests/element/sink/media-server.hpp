// SPDX-License-Identifier: LGPL-2.1-or-later
// A plain nginx-rtmp of the test's own, on a free port, and what can be heard from it.
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace agora::test {

class MediaServer {
 public:
  // False from ok(): no nginx-rtmp on this machine.
  MediaServer();
  ~MediaServer();
  MediaServer(const MediaServer &) = delete;
  MediaServer &operator=(const MediaServer &) = delete;

  bool ok () const { return process_ != nullptr; }
  std::string url (const char *stream) const;
  unsigned port () const { return port_; }
  // Stops and continues all of its processes.
  void freeze ();
  void thaw ();

 private:
  void signal (int number);

  std::string folder_;
  unsigned port_ = 0;
  GSubprocess *process_ = nullptr;
};

// A server that takes connections and never says a word.
class MutePeer {
 public:
  MutePeer();
  ~MutePeer();
  std::string url () const;

 private:
  GSocket *socket_;
};

// Lies between, and lets everything pass `delay_ms` later, each way: a far server.
class FarPeer {
 public:
  FarPeer(unsigned port, unsigned delay_ms);
  ~FarPeer();
  FarPeer(const FarPeer &) = delete;
  FarPeer &operator=(const FarPeer &) = delete;
  std::string url (const char *stream) const;

 private:
  void accept ();
  void carry (GSocket *from, GSocket *to);

  const unsigned to_port_;
  const unsigned delay_ms_;
  unsigned port_ = 0;
  GSocket *listening_;
  GCancellable *over_;
  std::thread accepting_;
  std::mutex mutex_;  // guards the list
  std::vector<std::thread> ways_;
};

}  // namespace agora::test
