// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the client knows of each kind of request before it sends it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "signaling/client/errors.hpp"
#include "signaling/protocol/messages.hpp"

namespace agora::client {

// For texts that people read.
std::string_view name_of (const protocol::Request &request);
// Nothing, or a sentence that names the value and what was expected.
std::optional<std::string> check_join (const std::string &token, const std::string &channel,
                                       const std::string &uid, int uid_type);
std::optional<std::string> check_request (const protocol::Request &request);
// Requests about oneself carry one's own uid.
void set_own_uid (protocol::Request &request, protocol::Uid uid);
// Why nothing is published that is meant for a few.
Trouble no_talk ();
bool needs_url (const protocol::Request &request);
void set_muted (protocol::Target target, bool mute, bool &audio, bool &video);
// What the gateway is told about this program.
void describe_client (protocol::Join &join);

}  // namespace agora::client
