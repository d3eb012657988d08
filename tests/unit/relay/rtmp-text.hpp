// SPDX-License-Identifier: LGPL-2.1-or-later
// Bytes and AMF as text, for tables.
#pragma once

#include <glib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/bytes.hpp"

namespace agora::relay::rtmp {

// "03 000017" and so on; blanks are for the reader. "61*128" is one byte 128 times.
inline std::string unhex (std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    g_assert_cmpuint(i + 1, <, text.size());
    bytes.push_back(
        static_cast<char>(g_ascii_xdigit_value(text[i]) << 4 | g_ascii_xdigit_value(text[i + 1])));
    i += 2;
    if (i < text.size() && text[i] == '*') {
      std::size_t count = 0;
      while (++i < text.size() && g_ascii_isdigit(text[i]))
        count = count * 10 + static_cast<std::size_t>(text[i] - '0');
      bytes.append(count - 1, bytes.back());
    }
  }
  return bytes;
}

// At most `most` bytes of it.
inline std::string hex (Bytes bytes, std::size_t most = 8) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::uint8_t byte : bytes.first(std::min(bytes.size(), most))) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return bytes.size() > most ? text + "…" : text;
}

inline void assert_same (std::string_view one, std::string_view other) {
  if (one != other)
    g_error("\"%.*s\", not \"%.*s\"", static_cast<int>(one.size()), one.data(),
            static_cast<int>(other.size()), other.data());
}

inline std::string number_text (double value) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  return g_ascii_dtostr(text, sizeof text, value);
}

// One value; "!" if it can't be read.
inline std::string amf_value (AmfReader &reader) {
  const auto type = reader.type();
  if (!type)
    return "!";
  std::string text;
  switch (*type) {
    case Amf::number:
      if (const auto value = reader.number())
        return number_text(*value);
      return "!";
    case Amf::boolean:
      if (const auto value = reader.boolean())
        return *value ? "true" : "false";
      return "!";
    case Amf::string:
    case Amf::long_string:
      if (const auto value = reader.string())
        return "'" + std::string(*value) + "'";
      return "!";
    case Amf::null:
      return reader.skip() ? "null" : "!";
    case Amf::undefined:
      return reader.skip() ? "undefined" : "!";
    case Amf::object:
    case Amf::ecma_array:
      if (!reader.object([&] (std::string_view name, AmfReader value) {
            text += (text.empty() ? "" : ", ") + std::string(name) + ": " + amf_value(value);
          }))
        return "!";
      return (*type == Amf::object ? "{" : "[") + text + (*type == Amf::object ? "}" : "]");
    default:
      return reader.skip() ? "(type " + std::to_string(static_cast<int>(*type)) + ")" : "!";
  }
}

inline std::string amf_text (Bytes bytes) {
  AmfReader reader(bytes);
  std::string text;
  while (!reader.at_end()) {
    const std::string value = amf_value(reader);
    text += (text.empty() ? "" : " ") + value;
    if (value == "!")
      break;
  }
  return text;
}

}  // namespace agora::relay::rtmp
