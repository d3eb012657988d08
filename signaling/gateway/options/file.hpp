// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Options out of files: the key file of --config, and the apps of --app-file.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "signaling/gateway/options/options.hpp"

namespace agora::gateway {

// Sets what the key file at `path` says; a problem is a whole sentence for the operator.
Problem read_config (const std::string &path, Options &options);

// A file's lines, stripped, with their numbers, but for empty ones and comments (#); else what was
// expected of it.
struct NumberedLine {
  unsigned number = 0;
  std::string text;
};
std::variant<std::vector<NumberedLine>, std::string> read_lines (const std::string &file);

// The apps of an --app-file; else what was expected of it.
std::variant<std::vector<AppOption>, std::string> read_apps (const std::string &file);

}  // namespace agora::gateway
