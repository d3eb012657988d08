// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// As many descriptors as this process may have.
#pragma once

#include <sys/resource.h>

namespace agora {

// Up to the hard limit. Before anything is opened: some libraries look at the limit once.
inline void raise_descriptor_limit () {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace agora
