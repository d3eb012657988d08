// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Lists of members as properties have them: "8, 9".
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace agora {

using UidList = std::set<std::uint32_t>;

// Nothing for what is no list of uids.
std::optional<UidList> parse_uids (const char *text);
std::string to_text (const UidList &uids);

}  // namespace agora
