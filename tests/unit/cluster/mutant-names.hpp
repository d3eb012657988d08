// SPDX-License-Identifier: LGPL-2.1-or-later
// The mutants by name.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/gateway/cluster/mutants.hpp"

namespace sim {

using agora::gateway::cluster::Mutant;

std::optional<Mutant> mutant_named (std::string_view name);
// All but none.
const std::vector<std::pair<Mutant, std::string_view>> &mutants ();

}  // namespace sim
