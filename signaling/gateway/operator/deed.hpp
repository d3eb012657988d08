// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What an operator did, as the audit log has it: one line each, what it was done to, and by whom.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/gateway/channel/book-infos.hpp"

namespace agora::gateway {

struct Deed {
  std::string action;  // "rule-add", say: letters and dashes
  std::string app_id;
  std::string channel;
  protocol::Uid uid = 0;
  std::string more;  // further NAME=VALUE, with their blanks escaped
};

Deed rule_deed (const char *action, const Rule &rule);
// The key itself is in no log.
Deed key_deed (const char *action, const std::string &app_id, std::uint64_t key,
               const std::string &channel, protocol::Uid uid);

// How whoever asks shows that he may: "bearer" or "basic", by the header Authorization.
std::string credential_of (std::string_view authorization);

// NAME=VALUE, blanks between them; what would break that in a value is a %-escape. `by`: the
// credential, or what else made the gateway do it; `from`: an address, "" where there is none.
std::string deed_text (const Deed &deed, std::string_view by, std::string_view from);
// The same with the time before it, and a line's end.
std::string deed_line (std::int64_t wall_us, std::string_view text);

}  // namespace agora::gateway
