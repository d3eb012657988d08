// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// The texts of the page's events and answers: JSON. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agora::web::events {

struct Loudness {
  std::uint32_t uid = 0;
  double dbfs = 0;
};

// {}
inline std::string nothing () {
  return "{}";
}
// {"uid":7}
std::string about (std::uint32_t uid);
// {"uid":7,"name":"Ann"}; "" for one that has none any more.
std::string named (std::uint32_t uid, std::string_view name);
// {"uid":7,"text":"on air in 10"}
std::string data (std::uint32_t uid, std::string_view text);
// {"at":0,"members":[{"uid":7,"name":"Ann"},{"uid":9}],"more":true} and so on: no text is longer
// than `most` bytes, `at` members came before it, and the last one has no more. There is one of
// nobody.
std::vector<std::string> lists (const std::vector<std::pair<std::uint32_t, std::string>> &members,
                                std::size_t most);
// {"7":-23.5,"9":-100.0}; below -100 is silence.
std::string levels (const std::vector<Loudness> &speakers);
// {"code":110,"reason":"…"}
std::string trouble (int code, std::string_view reason);
// {"cause":"…"}
std::string cause (std::string_view text);
// {"after":1200}
std::string after (std::uint64_t ms);

}  // namespace agora::web::events
