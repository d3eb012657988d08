// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Deadlines by key, at most one for each key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace agora {

template <typename Key>
class TimerQueue {
 public:
  void set (const Key &key, std::int64_t at) {
    const auto [it, fresh] = by_key_.try_emplace(key, at);
    if (!fresh) {
      if (it->second == at)
        return;
      by_time_.erase({it->second, key});
      it->second = at;
    }
    by_time_.insert({at, key});
  }

  void cancel (const Key &key) {
    const auto it = by_key_.find(key);
    if (it == by_key_.end())
      return;
    by_time_.erase({it->second, key});
    by_key_.erase(it);
  }

  std::optional<std::int64_t> next () const {
    if (by_time_.empty())
      return {};
    return by_time_.begin()->first;
  }

  // The earliest key that is due at `now`, taken out.
  std::optional<Key> pop (std::int64_t now) {
    if (by_time_.empty() || by_time_.begin()->first > now)
      return {};
    const Key key = by_time_.begin()->second;
    by_time_.erase(by_time_.begin());
    by_key_.erase(key);
    return key;
  }

 private:
  std::set<std::pair<std::int64_t, Key>> by_time_;
  std::map<Key, std::int64_t> by_key_;
};

}  // namespace agora
