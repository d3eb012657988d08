// SPDX-License-Identifier: LGPL-2.1-or-later
// What the fuzzers of both lines ask: what was understood survives encoding.
#pragma once

#include <glib.h>

#include <string>
#include <string_view>
#include <variant>

namespace agora::fuzz {

inline void require (bool good, const char *what, std::string_view packet) {
  if (!good)
    g_error("%s: %s", what, std::string(packet).c_str());
}

template <typename Message, typename Decode>
void check (std::string_view packet, Decode decode) {
  auto decoded = decode(packet);
  if (auto *reason = std::get_if<std::string>(&decoded)) {
    require(!reason->empty(), "refused without a reason", packet);
    return;
  }
  auto &message = std::get<Message>(decoded);
  auto text = encode(message);
  // What came as few bytes may be longer escaped; that is refused, not cut.
  if (!text)
    return;
  auto again = decode(*text);
  require(std::holds_alternative<Message>(again), "its own text is refused", *text);
  require(std::get<Message>(again) == message, "decoded differently", *text);
}

}  // namespace agora::fuzz
