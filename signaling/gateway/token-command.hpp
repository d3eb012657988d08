// SPDX-License-Identifier: LGPL-2.1-or-later
// `agora-gateway token`: makes one token and prints it.
#pragma once

namespace agora::gateway {

// argv[0] is the word `token`. The exit status of the program.
int token_command (int argc, char **argv);

}  // namespace agora::gateway
