// SPDX-License-Identifier: LGPL-2.1-or-later
// A careful way into json-glib, whose parser recurses, takes more than JSON, and keeps the last of
// two members of one name: what it would misread is refused before and while it reads.
#pragma once

#include <json-glib/json-glib.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "signaling/protocol/messages.hpp"

namespace agora::protocol {

struct JsonNodeFree {
  void operator()(JsonNode *node) const { json_node_unref(node); }
};
using JsonNodePtr = std::unique_ptr<JsonNode, JsonNodeFree>;

// One JSON object, or nullptr and a sentence in `reason`.
JsonNodePtr parse_object (std::string_view text, std::size_t max_bytes, unsigned max_depth,
                          std::string &reason);
std::string to_text (JsonNode *node);

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
  Fields(JsonObject *object, std::string prefix, Failure &failure)
      : object_(object), prefix_(std::move(prefix)), failure_(failure) {}

  bool has (const char *name) const;
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
  JsonArray *array (const char *name, Need need);
  void fail (const char *name, const std::string &expected, Code code = Code::bad_request);
  Failure &failure () { return failure_; }

 private:
  JsonNode *find (const char *name, Need need, const char *expected, Code code);
  JsonObject *object_;
  std::string prefix_;
  Failure &failure_;
};

}  // namespace agora::protocol
