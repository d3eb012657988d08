// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/json.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "signaling/protocol/rules.hpp"

namespace agora::protocol {
namespace {

constexpr std::size_t max_integer_digits = 18;  // what surely fits 63 bits
// json-glib's time grows with their square when they share an object. The longest frame has few.
constexpr unsigned max_members = 512;
constexpr std::string_view structural = "{}[]:, \t\r\n";
// Of true, false and null. json-glib also reads comments, hexadecimal numbers and assignments.
constexpr std::string_view word_letters = "truefalsn";

// Starts at a brace. Looks at the bytes once, in a loop: what passes is safe for a parser that
// recurses, asserts on half surrogates and wraps large numbers.
class Scan {
 public:
  Scan(std::string_view text, unsigned max_depth) : text_(text), max_depth_(max_depth) {}

  // Empty when all is well.
  std::string run () {
    while (at_ < text_.size() && reason_.empty())
      step();
    if (reason_.empty() && depth_ != 0)
      reason_ = "the frame is cut: expected a whole JSON object";
    return reason_;
  }

 private:
  void step () {
    char c = text_[at_];
    if (opened_ && depth_ == 0 && std::string_view(" \t\r\n").find(c) == std::string_view::npos) {
      reason_ =
          "more after the end at offset " + std::to_string(at_) + ": expected one JSON object";
      return;
    }
    if (c == '"') {
      string();
      return;
    }
    if (c == '{' || c == '[') {
      opened_ = true;
      if (++depth_ > max_depth_)
        reason_ = "the frame is nested too deep: expected at most " + std::to_string(max_depth_);
      ++at_;
      return;
    }
    if (c == '}' || c == ']') {
      --depth_;
      ++at_;
      return;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
      number();
      return;
    }
    if (c == ':' && ++members_ > max_members)
      reason_ = "the frame has too many members: expected at most " + std::to_string(max_members);
    if (structural.find(c) == std::string_view::npos &&
        word_letters.find(c) == std::string_view::npos)
      reason_ = "a stray byte at offset " + std::to_string(at_) + ": expected JSON";
    ++at_;
  }

  void number () {
    std::size_t start = at_;
    while (at_ < text_.size() &&
           std::string_view("+-.eE0123456789").find(text_[at_]) != std::string_view::npos)
      ++at_;
    std::string_view token = text_.substr(start, at_ - start);
    std::string_view digits = token.substr(token.front() == '-' ? 1 : 0);
    bool whole = digits.find_first_of(".eE") == std::string_view::npos;
    if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
      reason_ = "the number " + quoted(token) + ": expected no leading zero";
    else if (whole && digits.size() > max_integer_digits)
      reason_ = "the number " + quoted(token) + ": expected at most 18 digits";
  }

  int hex4 (std::size_t from) const {
    if (from + 4 > text_.size())
      return -1;
    int value = 0;
    for (std::size_t i = from; i < from + 4; ++i) {
      int digit = g_ascii_xdigit_value(text_[i]);
      if (digit < 0)
        return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  void string () {
    ++at_;
    while (at_ < text_.size()) {
      auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return;
      }
      if (c < 0x20) {
        reason_ = "a control character at offset " + std::to_string(at_) +
                  " in a text: "
                  "expected it escaped";
        return;
      }
      if (c == '\\' && !escape())
        return;
      if (c != '\\')
        ++at_;
    }
    reason_ = "the frame is cut inside of a text: expected a whole JSON object";
  }

  bool escape () {
    const char *bad = "a wrong escape at offset ";
    char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (kind != 'u') {
      if (kind == '\0' || std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
        reason_ = bad + std::to_string(at_) + ": expected JSON";
        return false;
      }
      at_ += 2;
      return true;
    }
    int unit = hex4(at_ + 2);
    bool leads = unit >= 0xd800 && unit <= 0xdbff;
    bool trails = unit >= 0xdc00 && unit <= 0xdfff;
    bool paired = false;
    if (leads && text_.substr(at_ + 6, 2) == "\\u") {
      int next = hex4(at_ + 8);
      paired = next >= 0xdc00 && next <= 0xdfff;
    }
    if (unit <= 0 || trails || (leads && !paired)) {
      reason_ = bad + std::to_string(at_) + ": expected a character other than NUL";
      return false;
    }
    at_ += paired ? 12 : 6;
    return true;
  }

  std::string_view text_;
  unsigned max_depth_;
  std::size_t at_ = 0;
  bool opened_ = false;
  unsigned depth_ = 0;
  unsigned members_ = 0;
  std::string reason_;
};

// Two members of one name: readers of a frame must not differ about which one counts.
struct Members {
  std::set<std::pair<JsonObject *, std::string>> seen;
  std::string twice;
};

void note_member (JsonParser *, JsonObject *object, const char *name, gpointer user_data) {
  auto *members = static_cast<Members *>(user_data);
  if (!members->seen.emplace(object, name).second && members->twice.empty())
    members->twice = name;
}

}  // namespace

JsonNodePtr parse_object (std::string_view text, std::size_t max_bytes, unsigned max_depth,
                          std::string &reason) {
  if (text.size() > max_bytes) {
    reason = "a frame of " + std::to_string(text.size()) + " bytes: expected at most " +
             std::to_string(max_bytes);
    return nullptr;
  }
  std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{') {
    reason = "the frame is no JSON object: expected it to start with {";
    return nullptr;
  }
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr)) {
    reason = "the frame is not UTF-8, or holds a NUL: expected JSON text";
    return nullptr;
  }
  reason = Scan(text, max_depth).run();
  if (!reason.empty())
    return nullptr;

  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  Members members;
  g_signal_connect(parser, "object-member", G_CALLBACK(note_member), &members);
  g_autoptr(GError) error = nullptr;
  if (!json_parser_load_from_data(parser, text.data(), static_cast<gssize>(text.size()), &error)) {
    reason = std::string("the frame is broken: expected JSON, ") + error->message;
    return nullptr;
  }
  if (!members.twice.empty()) {
    reason = "the member " + quoted(members.twice) + " stands twice: expected it once";
    return nullptr;
  }
  JsonNode *root = json_parser_get_root(parser);
  if (root == nullptr || !JSON_NODE_HOLDS_OBJECT(root)) {
    reason = "the frame is no JSON object";
    return nullptr;
  }
  return JsonNodePtr(json_node_ref(root));
}

std::string to_text (JsonNode *node) {
  g_autofree char *text = json_to_string(node, FALSE);
  return text;
}

bool Fields::has(const char *name) const {
  JsonNode *node = json_object_get_member(object_, name);
  return node != nullptr && !JSON_NODE_HOLDS_NULL(node);
}

void Fields::fail(const char *name, const std::string &expected, Code code) {
  failure_.set(code, prefix_ + name + ": expected " + expected);
}

JsonNode *Fields::find(const char *name, Need need, const char *expected, Code code) {
  if (has(name))
    return json_object_get_member(object_, name);
  if (need == Need::required)
    fail(name, std::string(expected) + ", but it is absent", code);
  return nullptr;
}

std::string Fields::text(const char *name, Need need, Code code) {
  JsonNode *node = find(name, need, "a text", code);
  if (node == nullptr)
    return {};
  if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
    return json_node_get_string(node);
  fail(name, "a text", code);
  return {};
}

std::string Fields::text_or_number(const char *name, Need need, Code code) {
  JsonNode *node = find(name, need, "a text or a whole number", code);
  if (node == nullptr)
    return {};
  if (JSON_NODE_HOLDS_VALUE(node)) {
    if (json_node_get_value_type(node) == G_TYPE_STRING)
      return json_node_get_string(node);
    if (json_node_get_value_type(node) == G_TYPE_INT64)
      return std::to_string(json_node_get_int(node));
  }
  fail(name, "a text or a whole number", code);
  return {};
}

std::int64_t Fields::integer(const char *name, Need need, std::int64_t min, std::int64_t max) {
  JsonNode *node = find(name, need, "a whole number", Code::bad_request);
  if (node == nullptr)
    return 0;
  if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64) {
    std::int64_t value = json_node_get_int(node);
    if (value >= min && value <= max)
      return value;
  }
  fail(name, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return 0;
}

bool Fields::boolean(const char *name, Need need, bool fallback) {
  JsonNode *node = find(name, need, "true or false", Code::bad_request);
  if (node == nullptr)
    return fallback;
  if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN)
    return json_node_get_boolean(node);
  fail(name, "true or false");
  return fallback;
}

namespace {

std::optional<Uid> uid_of (JsonNode *node) {
  if (!JSON_NODE_HOLDS_VALUE(node))
    return std::nullopt;
  if (json_node_get_value_type(node) == G_TYPE_INT64) {
    std::int64_t value = json_node_get_int(node);
    if (value >= 0 && value <= G_MAXUINT32)
      return static_cast<Uid>(value);
  }
  if (json_node_get_value_type(node) == G_TYPE_STRING)
    return parse_uid(json_node_get_string(node));
  return std::nullopt;
}

constexpr const char *a_uid = "an unsigned 32-bit integer";

}  // namespace

std::optional<Uid> Fields::uid(const char *name, Need need, Code code) {
  JsonNode *node = find(name, need, a_uid, code);
  if (node == nullptr)
    return std::nullopt;
  std::optional<Uid> value = uid_of(node);
  if (!value)
    fail(name, a_uid, code);
  return value;
}

std::vector<Uid> Fields::uids(const char *name) {
  JsonNode *node = find(name, Need::required, "a list of uids", Code::bad_request);
  if (node == nullptr)
    return {};
  std::vector<Uid> list;
  auto add = [&] (JsonNode *item) {
    if (std::optional<Uid> value = uid_of(item))
      list.push_back(*value);
    else
      fail(name, std::string("a list of uids, each ") + a_uid);
  };
  if (!JSON_NODE_HOLDS_ARRAY(node)) {
    add(node);
    return list;
  }
  JsonArray *items = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(items); ++i)
    add(json_array_get_element(items, i));
  return list;
}

std::optional<Fields> Fields::object(const char *name, Need need) {
  JsonNode *node = find(name, need, "an object", Code::bad_request);
  if (node == nullptr)
    return std::nullopt;
  if (JSON_NODE_HOLDS_OBJECT(node))
    return Fields(json_node_get_object(node), prefix_ + name + ".", failure_);
  fail(name, "an object");
  return std::nullopt;
}

JsonArray *Fields::array(const char *name, Need need) {
  JsonNode *node = find(name, need, "a list", Code::bad_request);
  if (node == nullptr)
    return nullptr;
  if (JSON_NODE_HOLDS_ARRAY(node))
    return json_node_get_array(node);
  fail(name, "a list");
  return nullptr;
}

}  // namespace agora::protocol
