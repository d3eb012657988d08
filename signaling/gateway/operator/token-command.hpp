// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// `agora-gateway token`: makes one token.
#pragma once

#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

// argv[0] is the word `token`. Makes the program's name that of the command.
OptionsExit token_command (int argc, char **argv);

}  // namespace agora::gateway
