// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The operator's secrets: read from files, and kept out of command lines and logs.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace agora::gateway {

struct SecretFileError {
  std::string reason;
};

// `plain`: letters, digits, '-' and '_', which a URL's path takes as they are.
enum class SecretKind { plain, printable };

// The first line of the file that `option` names; the file is read once.
std::variant<std::string, SecretFileError> read_secret (const char *option, const std::string &file,
                                                        SecretKind kind);

// Warns where others than the owner and the group may read the file that `option` names.
void warn_if_others_read (const char *option, const std::string &file);

// `text` up to the first colon: `ID:CERTIFICATE` without its certificate.
std::string without_certificate (const std::string &text);
// Overwrites the certificates of a command line that has been read, and the passwords of TURN, so
// that `ps` doesn't show them.
void hide_certificates (const std::vector<char *> &arguments);

}  // namespace agora::gateway
