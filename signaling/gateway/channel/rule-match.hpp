// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whom a rule of the operator's hits: members, encoders and players alike.
#pragma once

#include <string_view>

#include "signaling/gateway/channel/book-infos.hpp"
#include "signaling/protocol/messages.hpp"

namespace agora::gateway {

struct Whom {
  std::string_view app_id;
  std::string_view channel;
  protocol::Uid uid = 0;
  std::string_view account;
  std::string_view network;
};

// With all that their account may count as, worked out once for many rules.
struct Suspect : Whom {
  explicit Suspect(const Whom &whom);
  protocol::Uid spelled = 0;  // 0: not digits alone, or no account
  protocol::Uid own = 0;      // in the channel while nobody else holds that one
};

bool matches (const Rule &rule, const Suspect &who);

}  // namespace agora::gateway
