// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which worker of agora-relay has which stream, and who listens to it where. A stream that is
// pushed at one worker, or pulled from elsewhere by it, comes to listeners at the others by a link:
// there it is played once from the worker that has it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace agora::gateway {

class RelayRoutes {
 public:
  // To be made: `to` plays the stream from `from`. It takes the place of one that is there.
  struct Link {
    std::size_t from = 0;
    std::size_t to = 0;
    std::string stream;
    bool operator==(const Link &) const = default;
  };
  using Links = std::vector<Link>;
  struct Play {
    bool pull = false;  // this worker is the one that pulls it from elsewhere
    Links links;
  };
  struct Failure {
    bool cut = false;  // all listeners of the stream have to go, and ask anew
    Links links;
  };

  explicit RelayRoutes(std::size_t workers) : workers_(workers) {}

  // A play was allowed; `elsewhere`: its stream is at another gateway.
  Play play (std::size_t worker, const std::string &stream, bool elsewhere);
  void play_ended (std::size_t worker, const std::string &stream);
  // A push was allowed.
  Links push (std::size_t worker, const std::string &stream);
  void push_ended (std::size_t worker, const std::string &stream);
  // A worker says that a pull, or its link to another worker, has failed for good.
  Failure pull_failed (std::size_t worker, const std::string &stream);
  // All that it had is gone. The streams that it pulled: listeners at the others have to go.
  std::vector<std::string> lost (std::size_t worker);

  std::size_t streams () const { return streams_.size(); }

 private:
  struct Stream {
    std::optional<std::size_t> at;  // the worker that has it
    bool pushed = false;            // there; else pulled
    std::vector<std::size_t> listeners;
    std::vector<std::optional<std::size_t>> linked;  // where each worker plays it from
  };
  Stream &stream_of (const std::string &name);
  Links connect (const std::string &name, Stream &stream, std::size_t worker) const;
  void tidy (const std::string &name);

  const std::size_t workers_;
  std::unordered_map<std::string, Stream> streams_;
};

}  // namespace agora::gateway
