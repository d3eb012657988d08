// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// What the lines between the gateway and its child processes have in common: one JSON object a
// packet, whose member `op` says which message it is. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "signaling/protocol/argument-checks.hpp"
#include "signaling/protocol/json-writer.hpp"
#include "signaling/protocol/json.hpp"

namespace agora::line {

// The largest number that a line carries: 18 digits. Counters stay there.
inline constexpr std::uint64_t max_number = 999'999'999'999'999'999;
// Longest text where nothing else is said, in bytes.
inline constexpr std::size_t max_text = 512;

// Whether `value` can travel: UTF-8 of so many bytes, without NUL.
bool is_text (std::string_view value, std::size_t max);
// `text` so that it can travel: cut to `max` bytes, and what is no UTF-8 replaced.
std::string fitting (std::string_view text, std::size_t max);

// A packet under way. It remembers that a text can't travel.
class Writer {
 public:
  // First of all.
  Writer &op (const char *name) {
    json_.text("op", name);
    return *this;
  }
  Writer &text (const char *name, std::string_view value, std::size_t max);
  Writer &number (const char *name, std::uint64_t value);
  Writer &boolean (const char *name, bool value) {
    json_.boolean(name, value);
    return *this;
  }
  protocol::JsonWriter &json () { return json_; }
  void spoil () { good_ = false; }
  // Nothing where a text can't travel, or the packet is longer.
  std::optional<std::string> finish (std::size_t max);

 private:
  protocol::JsonWriter json_;
  bool good_ = true;
};

// A packet that was read. After a failure, what it returns has no meaning.
class Reader {
 public:
  Reader(std::string_view packet, std::size_t max_bytes, unsigned max_depth);

  bool good () const { return !failure_; }
  const std::string &reason () const { return failure_.reason; }
  void fail (const char *name, const std::string &expected) { fields_->fail(name, expected); }
  protocol::Fields &fields () { return *fields_; }

  std::string text (const char *name, std::size_t max) { return text_of(*fields_, name, max); }
  std::uint64_t number (const char *name, std::uint64_t min = 0, std::uint64_t max = max_number) {
    return number_of(*fields_, name, min, max);
  }
  bool boolean (const char *name);

  static std::string text_of (protocol::Fields &fields, const char *name, std::size_t max);
  static std::uint64_t number_of (protocol::Fields &fields, const char *name, std::uint64_t min = 0,
                                  std::uint64_t max = max_number);

 private:
  protocol::JsonDocumentPtr document_;
  protocol::Failure failure_;
  std::optional<protocol::Fields> fields_;
};

// What one packet says, or a sentence that says why it says nothing. `read` gives nothing for an op
// that it doesn't know.
template <typename Message>
std::variant<Message, std::string> decode (std::string_view packet, std::size_t max_bytes,
                                           unsigned max_depth,
                                           std::optional<Message> (*read)(Reader &from,
                                                                          const std::string &op)) {
  Reader from(packet, max_bytes, max_depth);
  if (!from.good())
    return from.reason();
  const std::string op = from.text("op", max_text);
  if (!from.good())
    return from.reason();
  std::optional<Message> message = read(from, op);
  if (!message)
    return "op: " + protocol::quoted(op) + " is none of this side's";
  if (!from.good())
    return op + ": " + from.reason();
  return std::move(*message);
}

}  // namespace agora::line
