// SPDX-License-Identifier: LGPL-2.1-or-later
// A plain nginx-rtmp of the test's own, on a free port, and what can be heard from it.
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>

#include <string>

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

}  // namespace agora::test
