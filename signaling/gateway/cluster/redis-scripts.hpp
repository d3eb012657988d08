// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The scripts by which Redis carries out the operations: scripts/NAME.lua, after
// scripts/common.lua.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/cluster/operation.hpp"
#include "signaling/gateway/cluster/redis-reply.hpp"

namespace agora::gateway::cluster {

struct RedisScript {
  std::string text;
  std::string sha1;  // by which Redis knows it, in hexadecimal digits
};

// By OperationKind. Built once; they are in the program itself.
const std::array<RedisScript, operation_kinds> &redis_scripts ();

// The arguments of the command; they stand in `operation` and in the scripts. `by_text`: for a
// server that doesn't know the script by its SHA-1.
std::vector<std::string_view> command_of (const Operation &operation, bool by_text);

// An error, or what no script gives, is `away`.
Answer answer_of_reply (const RedisReply &reply);

}  // namespace agora::gateway::cluster
