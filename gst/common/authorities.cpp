// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/authorities.hpp"

#include "signaling/agora-error.h"

namespace agora {

AuthoritiesPtr read_authorities (const std::string &file, GError **error) {
  if (file.empty())
    return nullptr;
  g_autoptr(GError) cause = nullptr;
  auto authorities = std::make_shared<Authorities>();
  authorities->file = file;
  authorities->database.reset(g_tls_file_database_new(file.c_str(), &cause));
  if (authorities->database)
    return authorities;
  g_set_error(error, AGORA_ERROR, AGORA_ERROR_INVALID_ARGUMENT,
              "ca-file \"%s\": expected a file of PEM certificates: %s", file.c_str(),
              cause->message);
  return nullptr;
}

}  // namespace agora
