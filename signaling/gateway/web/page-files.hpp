// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The page and its modules, which are in the program itself (page/page.gresource.xml).
#pragma once

#include "signaling/gateway/web/http-message.hpp"

namespace agora::gateway {

// /web/ and what is below it.
WebAnswer page_file (const WebRequest &request);

}  // namespace agora::gateway
