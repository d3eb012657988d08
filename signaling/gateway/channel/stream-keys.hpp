// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Stream keys: what an encoder (OBS, Larix, hardware) pushes by, in place of a URL that changes;
// and play keys, by which players hear one uid, or the mix of all. The operator makes and ends
// them. A key is random and told once; what is kept is its digest, so that neither memory nor file
// gives one away. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "signaling/gateway/channel/media-url.hpp"
#include "signaling/protocol/messages.hpp"
#include "signaling/support/token-bucket.hpp"

namespace agora::gateway {

enum class KeyUse { push, play };

struct StreamKey {
  std::uint64_t id = 0;
  std::string app_id;
  std::string channel;
  protocol::Uid uid = 0;     // 0, of a play key: the channel's mix
  std::int64_t made_at = 0;  // wall clock, seconds
  KeyUse use = KeyUse::push;
  std::string digest;  // SHA-256, hexadecimal digits
  // Pushes by it: each is told to a whole channel.
  TokenBucket pushes{1, 20};
  // Of a play key: what is played while nothing is on the air; "": nobody waited so far.
  std::string waits;
};

class StreamKeys {
 public:
  static constexpr std::size_t most_keys = 10'000;

  struct Made {
    std::uint64_t id = 0;
    std::string key;  // 40 hexadecimal digits, 160 random bits
  };
  // Nothing: there are most_keys already.
  std::optional<Made> make (const std::string &app_id, const std::string &channel,
                            protocol::Uid uid, std::int64_t wall_s, const Random &random,
                            KeyUse use = KeyUse::push);
  // By what an encoder or a player shows. In a time that says nothing about keys that there are.
  StreamKey *find (std::string_view key, KeyUse use = KeyUse::push);
  StreamKey *by_id (std::uint64_t id);
  const StreamKey *find (std::uint64_t id) const;
  bool end (std::uint64_t id);
  // Of an app, in the order in which they were made.
  std::vector<StreamKey> of_app (std::string_view app_id, KeyUse use = KeyUse::push) const;

  // For a file, and back; or what is wrong with it.
  std::string text () const;
  static std::variant<StreamKeys, std::string> parse (std::string_view text);

 private:
  void add (StreamKey key);

  std::map<std::uint64_t, StreamKey> keys_;
  std::unordered_map<std::string, std::uint64_t> ids_;  // by digest
  std::uint64_t next_ = 1;  // no id is used twice: an operator may end by an old list
};

}  // namespace agora::gateway
