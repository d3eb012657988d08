// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// `agora-gateway top`: shows in a terminal what the console shows.
#pragma once

#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

// argv[0] is the word `top`. Makes the program's name that of the command; runs until it is ended.
OptionsExit top_command (int argc, char **argv);

}  // namespace agora::gateway
