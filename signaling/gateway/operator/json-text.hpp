// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The JSON that operators get, one member a call, in the order of the calls: json-glib builds it.
#pragma once

#include <json-glib/json-glib.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "signaling/support/glib-ptr.hpp"

namespace agora::gateway {

class JsonText {
 public:
  JsonText();

  JsonText &text (const char *name, std::string_view value);
  JsonText &integer (const char *name, std::int64_t value);
  JsonText &boolean (const char *name, bool value);
  JsonText &null (const char *name);
  JsonText &begin (const char *name);
  JsonText &end ();
  JsonText &begin_list (const char *name);
  JsonText &end_list ();
  // In a list: an object, which end() closes; a number; a text.
  JsonText &item ();
  JsonText &item (std::int64_t value);
  JsonText &item (std::string_view value);

  // Closes the outermost object. Compact, in UTF-8.
  std::string finish ();

 private:
  ObjectPtr<JsonBuilder> builder_;
};

}  // namespace agora::gateway
