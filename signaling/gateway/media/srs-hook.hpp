// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A hook of SRS: a JSON object, and a session by a name of its own. Pure: bytes in, a request or a
// refusal out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "signaling/gateway/channel/hook-form.hpp"

namespace agora::gateway {

std::variant<HookRequest, HookRefusal> parse_srs_hook (std::string_view body);

// SRS names its sessions by eight letters and digits, a new name for each: as a number, by their
// bytes. Nothing: it is no such name.
std::optional<std::uint64_t> srs_session_of (std::string_view name);
std::string srs_session_name (std::uint64_t session);

}  // namespace agora::gateway
