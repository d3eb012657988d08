// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/suite.hpp"

#include <glib.h>

namespace agora {
namespace {

const Suite *last;

}  // namespace

Suite::Suite(const char *name, Add add) : name(name), add(add), next(last) {
  last = this;
}

void add_suites (int argc, char **argv) {
  if (argc < 2)
    g_error("no suite is named");
  for (int i = 1; i < argc; i++) {
    const Suite *suite = last;
    while (suite && !g_str_equal(suite->name, argv[i]))
      suite = suite->next;
    if (!suite)
      g_error("there is no suite '%s' in this program", argv[i]);
    suite->add();
  }
}

}  // namespace agora
