// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What both sides hold an argument to (docs/protocol.md, section 4): one place for each rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "signaling/protocol/messages.hpp"

namespace agora::protocol {

// Each answers nothing when the value is good, else a sentence that names the value and what was
// expected, for people.
std::optional<std::string> check_app_id (std::string_view app_id);
std::optional<std::string> check_channel (std::string_view channel);
std::optional<std::string> check_account (std::string_view account);
std::optional<std::string> check_name (std::string_view name);    // "" is: none
std::optional<std::string> check_token (std::string_view token);  // "" is: none

// "" and "0" are 0: assign one. Nothing when the text is not a decimal unsigned 32-bit integer.
std::optional<Uid> parse_uid (std::string_view text);
std::optional<Role> parse_role (std::string_view text);
std::optional<Target> parse_target (std::string_view text);
std::string_view to_string (Role role);
std::string_view to_string (Target target);
// Nothing: a codec of a later version.
std::optional<Codec> parse_codec (std::string_view name);
const char *to_string (Codec codec);

// Without a NUL.
bool is_utf8 (std::string_view text);

// `value` in quotation marks, cut when it is long, always UTF-8: for texts that people read.
std::string quoted (std::string_view value);

}  // namespace agora::protocol
