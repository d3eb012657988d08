// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What commands are read and written with. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "signaling/relay/rtmp/amf.hpp"
#include "signaling/relay/rtmp/chunk-reader.hpp"

namespace agora::relay::rtmp {

// Rounded down; nothing if it is no number that fits.
inline std::optional<std::uint32_t> as_u32 (std::optional<double> number) {
  constexpr double end = 4294967296.0;
  if (!number || !(*number >= 0) || *number >= end)
    return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

struct Split {
  std::string_view path;
  std::string_view args;
};

inline Split split_args (std::string_view text) {
  const std::size_t mark = text.find('?');
  if (mark == std::string_view::npos)
    return {text, {}};
  return {text.substr(0, mark), text.substr(mark + 1)};
}

inline bool is_text (std::string_view text, std::size_t most) {
  return text.size() <= most && std::ranges::none_of(text, [] (char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

// A command's values. One of AMF3 begins with a byte that says that AMF0 follows.
inline Bytes values_of (const Message &command) {
  const bool marked =
      command.type == Type::command_amf3 && !command.payload.empty() && command.payload[0] == 0;
  return marked ? command.payload.subspan(1) : command.payload;
}

inline std::string begin_command (std::string_view name, double transaction) {
  std::string payload;
  AmfWriter(payload).string(name).number(transaction);
  return payload;
}

// The information object of onStatus and of an error, left open for more.
inline AmfWriter begin_info (std::string &payload, std::string_view level, std::string_view code,
                             std::string_view text) {
  AmfWriter writer(payload);
  writer.begin_object().property("level").string(level).property("code").string(code);
  writer.property("description").string(text);
  return writer;
}

}  // namespace agora::relay::rtmp
