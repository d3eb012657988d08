// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Redis' protocol, by hiredis: it only formats and parses here. Its sockets aren't used: they have
// no time limits, and its GLib adapter frees a connection twice when the peer resets it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct redisReader;

namespace agora::gateway::cluster {

struct RedisReply {
  enum class Kind { nil, text, status, error, integer, array };
  Kind kind = Kind::nil;
  std::string text;
  std::int64_t integer = 0;
  std::vector<RedisReply> items;

  bool is_error () const { return kind == Kind::error; }
  // As text, whatever its kind but an array: an integer in digits, nil as "".
  std::string flat () const;
};

// One command, with its arguments, as it goes over the wire.
std::string format_redis_command (std::span<const std::string_view> arguments);

// Bytes in, replies out. What the peer sends can't make it take more memory than the bounds.
class RedisParser {
 public:
  struct Bounds {
    std::size_t bytes = std::size_t{16} << 20;  // of one reply
    std::size_t items = 500'000;                // of one reply
  };
  struct Broken {
    std::string reason;
  };
  RedisParser() : RedisParser(Bounds()) {}
  explicit RedisParser(const Bounds &bounds);
  ~RedisParser();
  RedisParser(const RedisParser &) = delete;
  RedisParser &operator=(const RedisParser &) = delete;

  void feed (std::string_view bytes);
  // The next whole reply; nothing: more bytes are needed. Once broken, always broken.
  std::variant<std::monostate, RedisReply, Broken> next ();

 private:
  struct Tree;
  struct FreeReader {
    void operator()(redisReader *reader) const noexcept;
  };
  const Bounds bounds_;
  std::unique_ptr<Tree> tree_;  // outlives the reader, which builds in it
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::size_t unfinished_ = 0;  // bytes of the reply that isn't whole yet
  std::string broken_;
};

}  // namespace agora::gateway::cluster
