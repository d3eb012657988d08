// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Slows down whoever shows wrong tokens, by network. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace agora::gateway {

class Guesses {
 public:
  static constexpr std::int64_t interval_ms = 2000;
  static constexpr unsigned at_once = 10;
  static constexpr std::size_t most_networks = 4096;

  // Whether a token that this network shows is looked at: not when it has shown `at_once` wrong
  // ones, each of which is forgotten after an interval.
  bool may_try (const std::string &network, std::int64_t mono_ms) const {
    const auto found = until_.find(network);
    return found == until_.end() || found->second - mono_ms <= (at_once - 1) * interval_ms;
  }

  void wrong (const std::string &network, std::int64_t mono_ms) {
    if (until_.size() >= most_networks && !until_.contains(network))
      make_room(mono_ms);
    auto &until = until_[network];
    until = std::max(until, mono_ms) + interval_ms;
  }

  std::size_t size () const { return until_.size(); }

 private:
  void make_room (std::int64_t mono_ms) {
    std::erase_if(until_, [mono_ms] (const auto &each) { return each.second <= mono_ms; });
    if (until_.size() >= most_networks)
      until_.erase(until_.begin());
  }

  // When all wrong tokens of a network will be forgotten.
  std::unordered_map<std::string, std::int64_t> until_;
};

}  // namespace agora::gateway
