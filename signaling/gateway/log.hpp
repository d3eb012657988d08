// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The program's log, on standard error. It never waits for whoever reads it: lines that can't be
// written wait, up to a bound, and are left out beyond it, which is said. Lines that repeat are
// summed up. Any thread may log.
#pragma once

#include <string>

#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

// From now on all that GLib's functions log goes here.
void open_log (LogFormat format);
// Writes what waits, for half a second at most.
void close_log ();
// A line as it is, without time or level.
void log_bare_line (const std::string &line);

}  // namespace agora::gateway
