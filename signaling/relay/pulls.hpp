// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The streams that are pulled: one upstream connection for each, however many listen. It is opened
// for the first listener and closed soon after the last one has gone. To its listeners a pulled
// stream is as one that is pushed here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "signaling/protocol/relay-line.hpp"
#include "signaling/protocol/relay-url.hpp"
#include "signaling/relay/pull-turns.hpp"
#include "signaling/relay/upstream.hpp"
#include "signaling/support/descriptor.hpp"

namespace agora::relay {

class Pull;

class Pulls {
 public:
  explicit Pulls(Server &server);
  ~Pulls();
  Pulls(const Pulls &) = delete;
  Pulls &operator=(const Pulls &) = delete;

  // A play of the stream was admitted, or has ended.
  void joined (const std::string &stream);
  void left (const std::string &stream);
  // The gateway's answer to a play named an origin.
  void pull_from (const std::string &stream, const std::string &url);
  // A socket that the gateway sends: to the origin that it was asked for, or to another worker.
  void linked (const relay_line::Link &link, Descriptor socket);
  // A push of the name is to begin here: it takes the pull's place.
  void yield (const std::string &stream);
  bool has (const std::string &stream) const;
  // Ends the pull at once: its listeners don't hear what is unsent.
  void drop (const std::string &stream);
  void tick ();
  void stood_still ();
  // How many are opened at once, of one origin.
  void set_opening (std::size_t most) { turns_.set_limit(most); }
  // After the last call to any of them.
  void end_turn ();

  std::size_t count () const { return pulls_; }

 private:
  friend class Pull;
  struct Played {
    std::size_t listeners = 0;
    std::unique_ptr<Pull> pull;
  };
  using Place = std::unordered_map<std::string, Played>::iterator;
  Pull &pull_of (Place place);
  void bury (Place place);

  Server &server_;
  PullTurns turns_;
  std::unordered_map<std::string, Played> played_;
  std::vector<std::unique_ptr<Pull>> buried_;
  std::size_t pulls_ = 0;
};

}  // namespace agora::relay
