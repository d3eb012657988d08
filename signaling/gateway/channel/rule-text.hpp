// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The operator's rules as texts: as the gateways of a cluster tell each other, and as a gateway
// keeps them in a file over a restart. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/channel/book-infos.hpp"

namespace agora::gateway {

// Whom it hits and what it takes. As many accounts as the store has room for.
std::string rule_text (const Rule &rule);
std::optional<Rule> parse_rule_text (std::string_view text);

// All that a gateway holds to.
struct KeptRules {
  std::vector<Rule> rules;
  std::uint64_t next = 1;  // id of the next one: none is given twice, not even after a restart
};

// Longer ones aren't read.
inline constexpr std::size_t most_kept_bytes = std::size_t{16} * 1024 * 1024;

std::string kept_text (const KeptRules &kept);

// What a file holds. Lines that are none of ours are left out: what can be read of it holds.
struct ReadRules {
  KeptRules kept;
  std::string problem;  // what is wrong with the first bad line, for people; "": nothing
  std::size_t bad = 0;  // lines
};
ReadRules read_kept (std::string_view text);

}  // namespace agora::gateway
