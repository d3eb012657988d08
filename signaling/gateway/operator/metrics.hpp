// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the gateway counts, and its text for Prometheus.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "signaling/gateway/channel/channel-book.hpp"
#include "signaling/gateway/cluster/store.hpp"
#include "signaling/gateway/operator/channel-traffic.hpp"
#include "signaling/gateway/operator/process-figures.hpp"
#include "signaling/gateway/operator/webhooks.hpp"
#include "signaling/protocol/relay-line.hpp"

namespace agora::gateway {

class Metrics {
 public:
  // Of whom there are figures by name. A channel is some twenty samples.
  static constexpr std::size_t most_channels = 100;

  struct Web {
    std::size_t speak = 0;
    std::size_t hear = 0;
    std::size_t streams = 0;
    std::map<unsigned, std::uint64_t> offers;  // by status
    std::size_t workers = 0;                   // that serve
    std::uint64_t restarts = 0;
    std::size_t feeds = 0;  // mixes for players
  };
  struct Shared {
    cluster::StoreStatus status;
    cluster::ClusterCounts counts;
    std::size_t gateways = 0;  // by the last lease, this one included
  };
  // Figures that are collected only when someone asks.
  struct Snapshot {
    Totals totals;
    std::size_t sockets = 0;
    std::size_t queue_bytes = 0;      // of all members
    std::size_t queue_bytes_max = 0;  // of the one with most
    bool media_up = false;
    unsigned media_restarts = 0;
    std::optional<relay_line::Counters> relay;     // nothing: the media server is someone else's
    std::optional<WebhookCounts> webhooks;         // nothing: nobody is told
    std::optional<Web> web;                        // nothing: without --web
    std::optional<Shared> store;                   // nothing: without --store
    std::optional<std::int64_t> certificate_ends;  // nothing: without --tls-certificate
    ProcessFigures process;
    bool draining = false;
    std::size_t watchers = 0;                        // of the live view
    std::optional<ChannelsFigures> channels;         // nothing: who asks isn't to know
    std::optional<ChannelTraffic::Figures> traffic;  // the same, and without agora-relay
  };

  void received (std::size_t bytes) {
    received_frames_++;
    received_bytes_ += bytes;
  }
  void sent (std::size_t bytes) {
    sent_frames_++;
    sent_bytes_ += bytes;
  }
  void hook (HookCall call, bool allowed) { hooks_[{call, allowed}]++; }
  // Once a second: how late the main loop was.
  void lag (double seconds) { lags_[lag_at_++ % lags_.size()] = seconds; }

  double worst_lag () const;
  std::string text (const Snapshot &snapshot) const;

 private:
  std::uint64_t received_frames_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t sent_frames_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::map<std::pair<HookCall, bool>, std::uint64_t> hooks_;
  // A scrape every 15 s sees each of them.
  std::array<double, 15> lags_{};
  std::size_t lag_at_ = 0;
};

}  // namespace agora::gateway
