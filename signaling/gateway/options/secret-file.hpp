// SPDX-License-Identifier: LGPL-2.1-or-later
// Secrets that the operator keeps in files, out of command lines and logs.
#pragma once

#include <string>
#include <variant>

namespace agora::gateway {

struct SecretFileError {
  std::string reason;
};

// `plain` is good in a URL's path as it stands.
enum class SecretKind { plain, printable };

// The first line of the file that `option` names; the file is read once.
std::variant<std::string, SecretFileError> read_secret (const char *option, const std::string &file,
                                                        SecretKind kind);

}  // namespace agora::gateway
