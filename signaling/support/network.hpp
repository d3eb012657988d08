// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Addresses of peers, as texts. Pure.
#pragma once

#include <string>

namespace agora {

// An IPv4 address as such, where a socket for both kinds has wrapped it into one of IPv6.
std::string plain_address (const std::string &address);

// What one peer may count as, for limits by address: an IPv4 address; of IPv6 the /64, since a
// whole one is any subscriber's.
std::string network_of (const std::string &address);

}  // namespace agora
