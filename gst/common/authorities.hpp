// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Whose signature on a media server's certificate counts: a PEM file (ca-file), read once.
#pragma once

#include <gio/gio.h>

#include <memory>
#include <string>

#include "gst/common/gst-ptr.hpp"

namespace agora {

struct Authorities {
  std::string file;
  ObjectPtr<GTlsDatabase> database;
};

// No authorities: the system's count.
using AuthoritiesPtr = std::shared_ptr<const Authorities>;

// nullptr and no error where `file` is empty; nullptr and `error` where it can't be read.
AuthoritiesPtr read_authorities (const std::string &file, GError **error);

}  // namespace agora
