// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Files of a page, which are in the program itself.
#pragma once

#include <gio/gio.h>

#include <optional>
#include <string>
#include <string_view>

namespace agora::gateway {

struct PageResource {
  const char *type = "";  // as Content-Type has it
  std::string body;
  std::string etag;  // in quotation marks
};

// A file right in `folder`, which ends with a slash. Nothing: there is none.
std::optional<PageResource> find_page (GResource *resource, const std::string &folder,
                                       std::string_view name);

}  // namespace agora::gateway
