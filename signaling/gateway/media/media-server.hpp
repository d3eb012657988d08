// SPDX-License-Identifier: LGPL-2.1-or-later
// The seam to what carries the media. Main loop only: every call and every callback.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "signaling/gateway/channel/commands.hpp"

namespace agora::gateway {

// How clients reach it.
struct MediaAddress {
  std::string host;  // "": by the name under which they reach the gateway
  std::uint16_t port = 1935;
  std::string app = "live";
};

class MediaServer {
 public:
  struct Callbacks {
    // Serving for the first time; what can't be served at all is `failed`, and final.
    std::function<void()> ready;
    std::function<void(const std::string &reason)> failed;
    // Every session it carried is gone. It comes back by itself.
    std::function<void()> lost;
    // The ids of the sessions that it carries, after something that may have cost some, and when it
    // was asked for them (monotonic, us).
    std::function<void(const std::vector<std::uint64_t> &ids, std::int64_t asked)> sessions;
    // It has been away for long; then, that it serves again.
    std::function<void()> away;
    std::function<void()> back;
    std::function<void()> stopped;
  };

  MediaServer() = default;
  MediaServer(const MediaServer &) = delete;
  MediaServer &operator=(const MediaServer &) = delete;
  virtual ~MediaServer() = default;

  virtual MediaAddress address () const = 0;
  // `hooks`: the URL below which its hooks are to go; it ends in the secret.
  virtual void start (const std::string &hooks, Callbacks callbacks) = 0;
  // Ends with `stopped`, within a second and a half.
  virtual void stop () = 0;
  // `done` once the sessions are cut, or were gone, or can't be reached.
  virtual void drop (const DropMedia &what, std::function<void()> done) = 0;
  virtual bool alive () const = 0;
  virtual unsigned restarts () const = 0;
  // It is down, and started again after so long a pause; else 0.
  virtual unsigned pause_ms () const { return 0; }
};

}  // namespace agora::gateway
