// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What is done before the first session, so that it is as quick as the others.
#pragma once

#include <string>

namespace agora::web {

// Registers the elements agorasink and agorasrc, which are linked in.
void register_elements ();
// Loads the plugins that sessions need. False: `reason` is a sentence that names what is missing
// and the Debian package that has it.
bool warm_up_all (std::string &reason);

}  // namespace agora::web
