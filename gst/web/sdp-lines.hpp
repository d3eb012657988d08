// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A stranger's SDP as lines, and the words of a line. Pure, and bounded: what is longer or holds
// what no SDP holds is refused, with the number of its line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gst/web/offer.hpp"

namespace agora::web {

struct SdpLine {
  std::size_t number = 0;  // from 1
  char type = 0;           // of `a=mid:0`: 'a'
  std::string_view name;   // "mid" for an attribute, else all behind the '='
  std::string_view value;  // "0" for an attribute with a value, else empty
};

// 400, and where.
Refusal unreadable (std::size_t line, std::string_view what);

// The views are into `sdp`.
std::variant<std::vector<SdpLine>, Refusal> split_lines (std::string_view sdp);

// The words of a text, which blanks separate.
std::vector<std::string_view> words (std::string_view text);
// Up to the first `separator`, which is taken off `text` with it; all of it where there is none.
std::string_view take_until (std::string_view &text, char separator);

// A decimal number of digits alone, at most `most`.
std::optional<std::uint32_t> number (std::string_view text, std::uint32_t most);

// RFC 8866's token, and RFC 8839's ice-char.
bool is_token (std::string_view text);
bool is_ice_text (std::string_view text, std::size_t least, std::size_t most);

bool same_letters (std::string_view a, std::string_view b);  // ASCII, whatever the case

// `value` in quotation marks, cut when it is long, in ASCII.
std::string cited (std::string_view value);

}  // namespace agora::web
