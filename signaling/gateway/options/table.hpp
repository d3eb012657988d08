// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The one table of options: the command line, the key file and --help all come from it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

struct Setting {
  const char *name;
  const char *argument;
  const char *help;
  std::function<Problem(Options &, std::string_view)> apply;
  bool repeats = false;
  bool secret = false;  // its value is never shown
  bool flag = false;    // given without a value, it is true
  bool gone = false;    // there was one of that name: it is refused, with what to do
};

const std::vector<Setting> &settings ();
// Null where there is none of that name.
const Setting *find_setting (std::string_view name);

// A sentence about a value that is not as expected; secrets are not shown.
std::string bad_value (const std::string &where, const Setting &setting, const std::string &value,
                       const std::string &expected);

}  // namespace agora::gateway
