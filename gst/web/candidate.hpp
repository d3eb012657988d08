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

// Of whom an address can be: of this machine, of a private network (RFC 1918, 6598, 4193 and what
// is translated into such), of the whole world. Text that is no address: of the world.
enum class Reach { kLoopback, kSite, kWorld };
Reach reach_of (std::string_view address);

// Whether a peer that came from `peer` may have us send to the candidate. From outside nobody is to
// have us knock at doors of this machine or its network; and from there none of them can be meant.
bool may_send_to (const Candidate &candidate, Reach peer);

// `value` is what stands behind "candidate:".
std::variant<Candidate, UselessCandidate, BadCandidate> read_candidate (std::string_view value);

}  // namespace agora::web
