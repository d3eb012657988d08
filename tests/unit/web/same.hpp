// SPDX-License-Identifier: LGPL-2.1-or-later
// Compares texts that may be temporaries, which g_assert_cmpstr() would outlive.
#pragma once

#include <glib.h>

#include <string>

inline void assert_same (const std::string &found, const std::string &expected) {
  g_assert_cmpstr(found.c_str(), ==, expected.c_str());
}
