// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Texts of strangers, made so that a terminal can do nothing but show them. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace agora::gateway {

// What a terminal may be sent: no control characters, of C1 neither, nothing that turns the
// direction of writing or can't be seen, and no heaps of marks. Each of those is a '?'. Without
// `unicode` all that isn't ASCII is one, too.
std::string harmless (std::string_view text, bool unicode = true);

// How many columns it takes; of a harmless text.
std::size_t columns_of (std::string_view text);

// At most so many columns of it, with '~' where the rest was; of a harmless text.
std::string cut_to (std::string_view text, std::size_t columns);

}  // namespace agora::gateway
