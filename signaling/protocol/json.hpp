// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// JSON as it is defined and no more, out of hands that can't be trusted: nesting and members are
// bounded, no name stands twice in one object, and a text holds no NUL. RapidJSON reads it, once,
// into one block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/protocol/messages.hpp"

namespace agora::protocol {

enum class JsonKind : std::uint8_t { null, boolean, integer, real, text, list, object };

// One value. It lies in its document's block before what it holds, so that the next one of the same
// list or object begins where it ends.
struct JsonNode {
  JsonKind kind = JsonKind::null;
  bool boolean = false;
  std::uint32_t size = 1;  // of itself and what it holds
  std::string_view name;   // in an object
  std::string_view text;
  std::string_view source;  // as it was written
  std::int64_t integer = 0;
  double real = 0;  // of an integer, too

  // Of a list or an object.
  const JsonNode *begin () const { return this + 1; }
  const JsonNode *end () const { return this + size; }
  const JsonNode *next () const { return this + size; }
  // Null where there is none of that name.
  const JsonNode *member (std::string_view called) const;
};

class JsonDocument {
 public:
  explicit JsonDocument(std::string_view text) : text_(text), decoded_(text) {}
  JsonDocument(const JsonDocument &) = delete;
  JsonDocument &operator=(const JsonDocument &) = delete;

  const JsonNode *root () const { return nodes_.data(); }

 private:
  friend class JsonBuilder;
  const std::string text_;
  std::string decoded_;  // what texts mean, in the place of how they were written
  std::vector<JsonNode> nodes_;
};
using JsonDocumentPtr = std::unique_ptr<const JsonDocument>;

// Names in one document: each is compared with those before it in its object. The longest frame of
// a client has few.
constexpr unsigned max_json_members = 512;

// One JSON object, or nullptr and a sentence in `reason`.
JsonDocumentPtr parse_object (std::string_view text, std::size_t max_bytes, unsigned max_depth,
                              std::string &reason, unsigned max_members = max_json_members);

// What went wrong first; later failures don't replace it.
struct Failure {
  Code code = Code::bad_request;
  std::string reason;
  explicit operator bool() const { return !reason.empty(); }
  void set (Code with, std::string why) {
    if (reason.empty()) {
      code = with;
      reason = std::move(why);
    }
  }
};

enum class Need { required, optional };

// Typed access to the members of an object. A member of the wrong type, or a required one that is
// absent, is noted in the failure; the value returned is then of no meaning. null is absent.
class Fields {
 public:
  Fields(const JsonNode *object, std::string prefix, Failure &failure)
      : object_(object), prefix_(std::move(prefix)), failure_(failure) {}

  bool has (const char *name) const { return get(name) != nullptr; }
  std::string text (const char *name, Need need, Code code = Code::bad_request);
  // A text, or a whole number that is turned into one.
  std::string text_or_number (const char *name, Need need, Code code = Code::bad_request);
  std::int64_t integer (const char *name, Need need, std::int64_t min, std::int64_t max);
  bool boolean (const char *name, Need need, bool fallback);
  // A number or a numeric text.
  std::optional<Uid> uid (const char *name, Need need, Code code = Code::bad_request);
  // An array of those; a single one counts as an array of one.
  std::vector<Uid> uids (const char *name);
  std::optional<Fields> object (const char *name, Need need);
  const JsonNode *array (const char *name, Need need);
  void fail (const char *name, const std::string &expected, Code code = Code::bad_request);
  Failure &failure () { return failure_; }

 private:
  const JsonNode *get (const char *name) const;
  const JsonNode *find (const char *name, Need need, const char *expected, Code code);
  const JsonNode *object_;
  std::string prefix_;
  Failure &failure_;
};

}  // namespace agora::protocol
