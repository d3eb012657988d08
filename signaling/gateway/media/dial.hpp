// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A connection for a relay that can make none by itself.
#pragma once

#include <cstdint>
#include <string>

#include "signaling/support/descriptor.hpp"

namespace agora::gateway {

// A TCP socket that connects to a numeric address: it doesn't wait for that. None, and why, where
// there is no way there. The socket is non-blocking.
Descriptor dial (const std::string &host, std::uint16_t port, std::string &reason);

}  // namespace agora::gateway
