// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Who is in channels at other gateways: when this gateway may ask the store for it, and what it was
// told last. That is kept by the channel's key, and for a while after nobody wants to know any
// more: who comes and goes can't make it ask more often. It has few questions on their way, asks
// within a rate, and pays for what it finds. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "signaling/protocol/messages.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

class Looks {
 public:
  struct There {
    std::string name;
    protocol::Role role = protocol::Role::audience;
    std::int64_t joined_s = 0;
    bool operator==(const There &) const = default;
  };
  using Found = std::map<protocol::Uid, There>;

  // `answers`: what a channel's members may be answered, unless that is known of it.
  void want (const std::string &key, const TokenBucket &answers, std::int64_t now_ms);
  void unwant (const std::string &key, std::int64_t now_ms);
  // Of what its members may be answered.
  bool is_paid (const std::string &key, std::int64_t now_ms);
  void charge (const std::string &key, std::int64_t now_ms, std::size_t members);
  bool is_looking (const std::string &key) const;
  // Nothing: nobody is there, as far as is known.
  const Found *found (const std::string &key) const;
  const There *find (const std::string &key, protocol::Uid uid) const;

  // The channel to be looked at now, which counts as asked for; and when there may be another one.
  std::optional<std::string> take (std::int64_t now_ms);
  std::optional<std::int64_t> next_ms (std::int64_t now_ms);
  // What the store has answered; nothing: it is away. Returns of whom that is news.
  std::vector<protocol::Uid> answered (const std::string &key, std::optional<Found> all,
                                       std::int64_t now_ms);

  // It was seen here, so an answer that is on its way knows less. `there`: it has gone there.
  void seen (const std::string &key, protocol::Uid uid, bool is_here,
             std::optional<There> there = {});
  // So was that it isn't there any more.
  void left (const std::string &key, protocol::Uid uid);
  std::size_t size () const { return entries_.size(); }

 private:
  struct Entry {
    explicit Entry(const TokenBucket &bucket) : answers(bucket) {}
    TokenBucket answers;
    bool wanted = true;
    bool looking = false;
    std::int64_t not_before_ms = 0;
    Found found;
    std::set<protocol::Uid> seen;  // since it was asked for
  };
  void file (const std::string &key, Entry &entry, bool in);
  void prune (std::int64_t now_ms);

  std::unordered_map<std::string, Entry> entries_;
  // By when they may be looked at: those that are wanted, and those that are only kept.
  std::set<std::pair<std::int64_t, std::string>> due_, kept_;
  std::size_t kept_size_ = 0;
  std::size_t looking_ = 0;
  TokenBucket rate_{200, 200};
};

}  // namespace agora::gateway
