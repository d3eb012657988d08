// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/json-writer.hpp"

namespace agora::protocol {

void JsonWriter::string(std::string_view value) {
  constexpr const char *hex = "0123456789abcdef";
  text_ += '"';
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      text_ += "\\u00";
      text_ += hex[byte >> 4];
      text_ += hex[byte & 15];
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

}  // namespace agora::protocol
