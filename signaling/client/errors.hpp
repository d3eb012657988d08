// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From the codes of the wire to the codes that a caller can act on: one mapping, total.
#pragma once

#include <string>
#include <string_view>

#include "signaling/agora-error.h"
#include "signaling/protocol/messages.hpp"

namespace agora::client {

// An error before it becomes a GError.
struct Trouble {
  AgoraError code = AGORA_ERROR_INTERNAL;
  std::string text;
  bool operator==(const Trouble &) const = default;
};

// `reason` tells apart what shares a number: 431 is also what a replaced member is told.
AgoraError error_of (protocol::Code code, std::string_view reason);
// The same with a sentence: the gateway's reason, what was asked for, and the number.
Trouble trouble_of (protocol::Code code, std::string_view reason, std::string_view what);
bool is_final (AgoraError code);

}  // namespace agora::client
