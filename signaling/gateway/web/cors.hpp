// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Which web pages may ask, and the headers that tell their browsers so (the Fetch standard's CORS).
// Pure.
#pragma once

#include <string>
#include <vector>

#include "signaling/gateway/web/http-message.hpp"

namespace agora::gateway {

// Whether the page that asks may: one of this gateway's own, or of an origin of --allow-origin.
// Programs send no Origin, and a page can't prevent that its browser does.
bool page_may_ask (const WebRequest &request, const std::vector<std::string> &allow_origins);

// For each answer to a page that may ask.
void add_cors (WebAnswer &answer, const std::string &origin);

// For OPTIONS, in addition: what a page may send.
void add_preflight (WebAnswer &answer, const WebRequest &request, const std::string &methods);

}  // namespace agora::gateway
