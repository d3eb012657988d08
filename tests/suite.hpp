// SPDX-License-Identifier: LGPL-2.1-or-later
// Several files of tests in one program. What the compiler reads and makes of one is nearly all
// what it makes of its neighbours: compiled together they take a sixth of the time.
#pragma once

namespace agora {

// What one file adds, at namespace scope there.
class Suite {
 public:
  using Add = void (*)();

  // `add` calls g_test_add_func() and the like.
  Suite(const char *name, Add add);

  const char *const name;
  const Add add;
  const Suite *const next;
};

// Of those that are linked in, the ones that the arguments name; g_test_init() has taken its own.
void add_suites (int argc, char **argv);

}  // namespace agora
