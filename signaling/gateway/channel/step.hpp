// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What one call into the channel book is about, and what it gives.
#pragma once

#include <cstdint>
#include <string>

#include "signaling/gateway/channel/channel.hpp"
#include "signaling/gateway/channel/commands.hpp"

namespace agora::gateway {

// Whose push or play it is, where that is known: of the key, or of the member that the URL is for.
struct HookOwner {
  std::string app_id;
  std::string channel;
  Uid uid = 0;            // of a play key: whom it plays
  std::uint64_t key = 0;  // its number, never itself; 0: by a URL
};

// An answer to a hook. What `commands` drop must be gone before the media server gets the answer,
// so that a returning publisher doesn't meet its own old session.
struct HookAnswer {
  bool allow = false;
  std::string reason;  // for the log
  Commands commands;
  // Of a play of what is pushed at another gateway: where the relay pulls it from. "": not pulled.
  std::string relay_from;
  // Of a push or play by a key: the name that it goes by from now on. "": the one that it has.
  std::string stream;
  HookOwner owner;  // for the log
};

// One call into the channel book: its moment, and what it orders.
struct Step {
  Now now;
  Commands out;
};

// The request that is being answered.
struct Asked {
  MemberSession &session;
  std::int64_t id = 0;
};

}  // namespace agora::gateway
