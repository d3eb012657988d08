// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the operator sees of the channels and of the gateway, as JSON: all of it, and then what has
// changed. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/operator/metrics.hpp"

namespace agora::gateway {

// Of the gateway, beside what is counted.
struct LiveGateway {
  Metrics::Snapshot counts;
  double lag_seconds = 0;
  std::vector<std::string> apps;
};

class LiveView {
 public:
  // Of more members, those on the air are shown first, and of the others as many as fit.
  static constexpr std::size_t most_members = 2'000;
  // Of the speakers that they report, in one text. What members report must not make it dear.
  static constexpr std::size_t most_heard = 8'000;

  // `shared`: others have another part of it.
  LiveView(const ChannelBook &book, bool shared) : book_(book), shared_(shared) {}

  // How things stand.
  std::string all (const LiveGateway &gateway, Now now) const;
  // What has changed since the last call, or since begin(): members that are new or have changed,
  // and those that are gone.
  void begin ();
  std::string changes (const LiveGateway &gateway, Now now);

 private:
  struct Seen {
    std::uint64_t print = 0;  // of what may change
    std::uint64_t turn = 0;
    std::string app_id;
    std::string channel;
    protocol::Uid uid = 0;
  };
  template <typename Visit>
  void each (const Visit &visit) const;
  bool is_news (const LiveMember &member);

  const ChannelBook &book_;
  const bool shared_;
  std::unordered_map<std::uint64_t, Seen> seen_;  // by the member's id
  std::uint64_t turn_ = 0;
};

}  // namespace agora::gateway
