// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Codecs as an application writes and reads them: by their names.
#pragma once

#include <glib-object.h>

#include "signaling/protocol/messages.hpp"

namespace agora::client {

// A new list, to be freed by g_strfreev().
char **names_of (const protocol::Codecs &codecs);
// The known ones, each once.
protocol::Codecs codecs_of (const char *const *names);

}  // namespace agora::client
