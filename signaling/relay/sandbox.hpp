// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What a process gives up that reads what strangers write.
#pragma once

#include <string>

namespace agora::relay {

// Afterwards the process can open no file, connect nowhere, start nothing; it ends with `parent`,
// writes no core, and is nobody where it was root. False: the parent has ended already. `kept`:
// what could not be given up, a sentence for the operator; "" where all is.
bool enter_sandbox (int parent, std::string &kept);

}  // namespace agora::relay
