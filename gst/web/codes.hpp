// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// From the library's errors back to the codes of the wire, which the page knows. Pure.
#pragma once

#include <glib.h>

#include <string>

#include "signaling/protocol/messages.hpp"

namespace agora::web {

// What the page is told of a failure.
struct Trouble {
  protocol::Code code = protocol::Code::internal;
  std::string reason;
};

Trouble trouble_of (const GError &error);
// What the answer to a call has for a status of HTTP.
unsigned status_of (protocol::Code code);

}  // namespace agora::web
