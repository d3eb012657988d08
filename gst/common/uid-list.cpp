// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/uid-list.hpp"

#include <glib.h>

namespace agora {

std::optional<UidList> parse_uids (const char *text) {
  UidList uids;
  g_auto(GStrv) parts = g_strsplit(text ? text : "", ",", -1);
  for (char **part = parts; *part; part++) {
    guint64 uid;
    if (!*g_strstrip(*part))
      continue;
    if (!g_ascii_string_to_unsigned(*part, 10, 1, G_MAXUINT32, &uid, nullptr))
      return std::nullopt;
    uids.insert(static_cast<std::uint32_t>(uid));
  }
  return uids;
}

std::string to_text (const UidList &uids) {
  std::string text;
  for (const std::uint32_t uid : uids)
    text += (text.empty() ? "" : ",") + std::to_string(uid);
  return text;
}

}  // namespace agora
