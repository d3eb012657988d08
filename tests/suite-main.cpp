// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>

#include "tests/suite.hpp"

int main (int argc, char **argv) {
  g_test_init(&argc, &argv, nullptr);
  agora::add_suites(argc, argv);
  return g_test_run();
}
