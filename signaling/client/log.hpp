// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The library's log: GLib's structured one, with the channel and the uid as fields. No token ever
// gets here.
#pragma once

#include <string>

#include "signaling/agora-log.h"
#include "signaling/protocol/messages.hpp"

namespace agora::client {

void log_line (AgoraLogLevel level, const std::string &channel, protocol::Uid uid,
               const std::string &text);

}  // namespace agora::client
