// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What passed through agora-relay, by channel. The relay knows streams alone; whose each is, the
// channel book says, and is remembered for a while, since the relay tells of a stream's end later.
// As many channels as /metrics shows by name are counted each by itself, and all others together.
// Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "signaling/gateway/channel/book-infos.hpp"
#include "signaling/protocol/relay-line.hpp"

namespace agora::gateway {

class ChannelTraffic {
 public:
  struct Counts {
    // These only grow. Payload of RTMP: sound, picture, metadata.
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t dropped_frames = 0;
    std::uint64_t cut_listeners = 0;
    std::uint64_t lag_ms = 0;  // of the slowest listener at worst, in the last 15 s
  };
  struct Named {
    ChannelName name;
    Counts counts;
  };
  struct Figures {
    std::vector<Named> named;
    Counts other;
  };
  // Whose stream it is; nothing: nobody's, by now.
  using Find = std::function<std::optional<ChannelName>(const std::string &stream)>;

  // `most`: channels that have a name.
  explicit ChannelTraffic(std::size_t most) : most_(most) {}

  // It was let in, and may be over before anything is told of it.
  void met (const std::string &stream, ChannelName channel, std::int64_t mono_ms);
  void add (const relay_line::Traffic &traffic, const Find &find, std::int64_t mono_ms);
  // For /metrics. `largest` have names from now on, `most` at most. Those that had one keep it as
  // long as there is room, so that what is over is seen to its end.
  Figures figures (const std::vector<ChannelFigures> &largest, std::int64_t mono_ms);

  std::size_t remembered () const { return streams_.size(); }

 private:
  // A channel's, or that of all others.
  struct Entry {
    Counts counts;
    std::int64_t changed_ms = 0;
    // By the second, each with its time.
    std::array<std::pair<std::int64_t, std::uint64_t>, 16> lags{};
  };
  struct Stream {
    ChannelName channel;
    std::int64_t heard_ms = 0;
  };
  Entry &entry_of (const std::optional<ChannelName> &channel, std::int64_t mono_ms);
  std::optional<ChannelName> channel_of (const std::string &stream, const Find &find,
                                         std::int64_t mono_ms);
  void make_room (const std::vector<ChannelFigures> &largest, std::int64_t mono_ms);
  void forget_streams (std::int64_t mono_ms);
  static Counts counts_of (const Entry &entry, std::int64_t mono_ms);

  const std::size_t most_;
  std::map<ChannelName, Entry> named_;  // `most_` at most
  Entry other_;
  std::unordered_map<std::string, Stream> streams_;
  std::int64_t swept_ms_ = 0;
};

}  // namespace agora::gateway
