// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A filter of system calls, for programs that read what strangers write. What it refuses fails with
// EPERM, as if a right were missing. It holds for all threads, for children, and for good.
#pragma once

#include <initializer_list>

namespace agora {

// By their names, such as "execve"; what this machine's kernel doesn't have is left out. Both set
// no_new_privs. False: it could not be done. True and nothing done: without libseccomp at build
// time, and under a sanitizer or valgrind's runtime, which open files and look at their own process
// when they report.
bool allow_calls (std::initializer_list<const char *> names);
bool refuse_calls (std::initializer_list<const char *> names);

}  // namespace agora
