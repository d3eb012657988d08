// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// How a gateway and its channels are, kept as the gateway tells it: the page's live.js in C++.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "signaling/gateway/top/json-view.hpp"

namespace agora::gateway {

struct ShownLevel {
  std::int64_t peak = 0, rms = 0;  // dB
};

struct ShownHeard {
  std::int64_t uid = 0;
  std::optional<ShownLevel> level;
  std::optional<std::int64_t> latency_ms;
  std::int64_t jitter_ms = 0, dropped_ms = 0, concealed_ms = 0;
};

struct ShownReport {
  std::int64_t at_ms = 0;  // the gateway's clock
  std::int64_t reconnects = 0;
  bool sends = false;
  std::optional<ShownLevel> level;
  std::int64_t unsent_ms = 0, outages = 0;
  std::vector<ShownHeard> heard;
};

struct ShownMember {
  std::int64_t uid = 0;
  std::string account, name;  // of a stranger, as all texts here; "": it has none
  std::string role;
  std::int64_t joined = 0;  // Unix time, s
  bool in_grace = false, on_air = false, muted = false, silenced = false;
  std::int64_t listeners = 0;
  std::optional<ShownReport> report;
};

// What a member hears, summed up.
struct ShownHearing {
  std::optional<std::int64_t> latency_ms, jitter_ms;
  std::int64_t late_ms = 0, concealed_ms = 0;
};

struct ShownChannel {
  std::string app, name;
  std::map<std::int64_t, ShownMember> members;
};

class LiveState {
 public:
  // An event of the gateway's. False: it can't be read.
  bool take (const std::string &name, const std::string &data);

  // Nothing until the first event.
  JsonView gateway () const { return gateway_of(now_); }
  std::int64_t at_ms () const { return at_ms_; }  // the gateway's clock
  std::int64_t left_off () const { return left_off_; }
  bool several_apps () const { return several_apps_; }
  // By name and app.
  using Channels = std::map<std::pair<std::string, std::string>, ShownChannel>;
  const Channels &channels () const { return channels_; }

  // A counter's growth a second, over the last event; `read` takes it out of the gateway's state.
  template <typename Read>
  std::optional<double> rate (const Read &read) const {
    const std::optional<std::int64_t> before = read(gateway_of(before_));
    const std::optional<std::int64_t> now = read(gateway());
    if (!before || !now || *now < *before || at_ms_ <= before_at_ms_)
      return std::nullopt;
    return static_cast<double>(*now - *before) * 1000 / static_cast<double>(at_ms_ - before_at_ms_);
  }

  // The member's report, unless it is too old to say anything about now.
  const ShownReport *report_of (const ShownMember &member) const;
  ShownHearing hearing_of (const ShownMember &member) const;
  // How loud those on the air are: by their own word, or else as the others hear them.
  std::map<std::int64_t, ShownLevel> levels_of (const ShownChannel &channel) const;

 private:
  struct NodeUnref {
    void operator()(JsonNode *node) const { json_node_unref(node); }
  };
  using Told = std::unique_ptr<JsonNode, NodeUnref>;
  static JsonView gateway_of (const Told &told);
  void put (JsonView member);
  void drop (JsonView member);

  Told now_, before_;
  std::int64_t at_ms_ = 0, before_at_ms_ = 0;
  std::int64_t left_off_ = 0;
  bool several_apps_ = false;
  Channels channels_;
};

}  // namespace agora::gateway
