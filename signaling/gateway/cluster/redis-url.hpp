// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The value of --store. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace agora::gateway::cluster {

struct RedisAddress {
  std::string host;  // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;

  bool operator==(const RedisAddress &) const = default;
  std::string text () const;  // HOST:PORT, for the log
};

struct RedisUrl {
  bool tls = false;
  std::string user;  // "": Redis' own `default`
  std::string password;
  std::vector<RedisAddress> servers;  // one; or the sentinels, where `master` isn't empty
  std::string master;                 // the name by which sentinels know it
  unsigned database = 0;
};

struct RedisUrlError {
  std::string reason;  // one sentence
};

std::variant<RedisUrl, RedisUrlError> parse_redis_url (std::string_view url);

}  // namespace agora::gateway::cluster
