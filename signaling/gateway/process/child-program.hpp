// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Where the programs are that the gateway runs as children.
#pragma once

#include <string>
#include <variant>

namespace agora::gateway {

struct ProgramMissing {
  std::string reason;  // a sentence that says what to do
};

struct WantedProgram {
  const char *name;       // "agora-relay"
  const char *option;     // by which the operator names another place
  const char *built;      // in a build tree, seen from the gateway's folder
  const char *installed;  // how it gets onto a machine, for people
  std::string given;      // the operator's choice; "": look in the usual places
};

std::variant<std::string, ProgramMissing> find_program (const WantedProgram &wanted);

}  // namespace agora::gateway
