// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/element/sink/rig.hpp"

int main (int argc, char **argv) {
  return agora::test::run_suites(argc, argv);
}
