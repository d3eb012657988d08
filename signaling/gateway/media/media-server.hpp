// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The seam to what carries the media. Main loop only: every call and every callback.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "signaling/gateway/channel/commands.hpp"
#include "signaling/gateway/channel/hook-form.hpp"
#include "signaling/gateway/media/media-address.hpp"
#include "signaling/protocol/relay-line.hpp"

namespace agora::gateway {

class MediaServer {
 public:
  struct Answer {
    std::string refusal;  // "": yes. Else why not, for the peer
    // Of a play of agora-relay that is allowed: where it pulls the stream from
    // (relay_line::Answer). "": it is pushed here, or will be.
    std::string relay_from;
    // Of a push to agora-relay, or a play of it by a play key, that is allowed: under which name,
    // if not the one that it asked for.
    std::string stream;
  };
  // It may come later; the session waits for it.
  using Reply = std::function<void(const Answer &answer)>;
  struct Callbacks {
    // May it push or play?
    std::function<void(const HookRequest &request, Reply reply)> admit;
    // A session that was asked for has ended.
    std::function<void(const HookRequest &request)> ended;
    // Of agora-relay: it plays a stream from where it is pushed; or can't, or loses it, and cuts
    // all who listen to it. The ends of their sessions follow.
    std::function<void(const std::string &stream)> pulled;
    std::function<void(const std::string &stream)> cut;
    // The same: what passed through streams since it told of each, those that are over included.
    std::function<void(const relay_line::Traffic &traffic)> traffic;
    // It serves for the first time. `failed`: it can't serve at all; final.
    std::function<void()> ready;
    std::function<void(const std::string &reason)> failed;
    // All of its sessions have ended. It comes back by itself.
    std::function<void()> lost;
    // After a fault that may have ended sessions: the ids of those that are left, and when it was
    // asked for them (monotonic, us).
    std::function<void(const std::vector<std::uint64_t> &ids, std::int64_t asked)> sessions;
    // It has been away for --max-outage-seconds; then: it serves again.
    std::function<void()> away;
    std::function<void()> back;
    std::function<void()> stopped;
  };

  MediaServer() = default;
  MediaServer(const MediaServer &) = delete;
  MediaServer &operator=(const MediaServer &) = delete;
  virtual ~MediaServer() = default;

  virtual MediaAddress address () const = 0;
  // For what runs on this machine.
  virtual MediaAddress near_address () const = 0;
  // Where agora-relay speaks RTMPS; 0: nowhere.
  virtual std::uint16_t rtmps_port () const { return 0; }
  // The certificate for it, and its key (PEM, 24 KiB at most each): before start(), and another
  // one at any time. Sessions go on with the one they have.
  virtual void set_certificate (const std::string &, const std::string &) {}
  // Other authorities of origins' certificates.
  virtual void set_authorities (const std::string &) {}
  // Another secret of its hooks.
  virtual void set_secret (const std::string &) {}
  virtual void start (Callbacks callbacks) = 0;
  // Ends with `stopped`, within a second and a half.
  virtual void stop () = 0;
  // `done` is called when the sessions are cut, have ended already, or can't be reached.
  virtual void drop (const DropMedia &what, std::function<void()> done) = 0;
  // Of a play by a play key; those are agora-relay's.
  virtual void move (const MovePlay &) {}
  virtual bool alive () const = 0;
  virtual unsigned restarts () const = 0;
  // While it is down: the pause before it is started again. Else 0.
  virtual unsigned pause_ms () const { return 0; }
  // Of agora-relay; nothing: the servers are someone else's.
  virtual std::optional<relay_line::Counters> counters () const { return {}; }
};

}  // namespace agora::gateway
