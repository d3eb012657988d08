// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// One ICE candidate of a stranger's (RFC 8839, section 5.1). Pure.
#pragma once

#include <string_view>
#include <variant>

#include "gst/web/offer.hpp"

namespace agora::web {

// Read, and nothing for us: TCP, another component, a name instead of an address (`.local`, which
// would have to be asked for by multicast), an address that is nobody's or many's.
struct UselessCandidate {};
struct BadCandidate {};

// `value` is what stands behind "candidate:".
std::variant<Candidate, UselessCandidate, BadCandidate> read_candidate (std::string_view value);

}  // namespace agora::web
