// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the program agora-relay is.
#pragma once

#include <string>
#include <variant>

namespace agora::gateway {

struct RelayMissing {
  std::string reason;  // a sentence that says what to do
};

// `given`: the operator's choice; "": look in the usual places.
std::variant<std::string, RelayMissing> find_relay (const std::string &given);

}  // namespace agora::gateway
