// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/json.hpp"

#include <glib.h>

#include <charconv>
#include <utility>

#include "signaling/protocol/rules.hpp"

namespace agora::protocol {

namespace {

constexpr std::size_t max_integer_digits = 18;  // what surely fits 63 bits
// Each name is compared with those before it. The longest frame has few.
constexpr unsigned max_members = 512;

bool is_digit (char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

// Each function begins at the first byte of what it reads and ends behind it, or gives a reason.
class JsonParser {
 public:
  JsonParser(JsonDocument &document, unsigned max_depth)
      : text_(document.text_),
        unescaped_(document.unescaped_),
        nodes_(document.nodes_),
        max_depth_(max_depth) {
    constexpr std::size_t members_of_a_join = 32;
    nodes_.reserve(members_of_a_join);
  }

  bool run (std::size_t start) {
    at_ = start;
    if (!value({}, 1))
      return false;
    blanks();
    return at_ == text_.size() ||
           fail("more after the end" + offset() + "expected one JSON object");
  }
  std::string take_reason () { return std::move(reason_); }

 private:
  // NUL at the end, and nowhere before it.
  char here () const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string offset () const { return " at offset " + std::to_string(at_) + ": "; }

  bool fail (std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  bool stray () {
    return fail(at_ < text_.size() ? "a stray byte" + offset() + "expected JSON"
                                   : "the frame is cut: expected a whole JSON object");
  }

  void blanks () {
    while (here() == ' ' || here() == '\t' || here() == '\r' || here() == '\n')
      ++at_;
  }

  bool value (std::string_view name, unsigned depth) {
    const std::size_t start = at_;
    const std::size_t index = nodes_.size();
    nodes_.emplace_back().name = name;
    if (!content(index, depth))
      return false;
    nodes_[index].size = static_cast<std::uint32_t>(nodes_.size() - index);
    nodes_[index].source = text_.substr(start, at_ - start);
    return true;
  }

  bool content (std::size_t index, unsigned depth) {
    JsonNode &node = nodes_[index];
    switch (here()) {
      case '{':
        node.kind = JsonKind::object;
        return items(index, depth, '}');
      case '[':
        node.kind = JsonKind::list;
        return items(index, depth, ']');
      case '"':
        node.kind = JsonKind::text;
        return string(node.text);
      case 't':
        node.boolean = true;
        [[fallthrough]];
      case 'f':
        node.kind = JsonKind::boolean;
        return word(node.boolean ? "true" : "false");
      case 'n':
        return word("null");
      default:
        return here() == '-' || is_digit(here()) ? number(node) : stray();
    }
  }

  bool items (std::size_t index, unsigned depth, char close) {
    if (depth > max_depth_)
      return fail("the frame is nested too deep: expected at most " + std::to_string(max_depth_));
    ++at_;
    blanks();
    for (bool first = true; here() != close; first = false) {
      if (!first) {
        if (here() != ',')
          return stray();
        ++at_;
        blanks();
      }
      std::string_view name;
      if (close == '}' && !member(index, name))
        return false;
      if (!value(name, depth + 1))
        return false;
      blanks();
    }
    ++at_;
    return true;
  }

  // Its name, up to the value. Readers of a frame must not differ about which of two counts.
  bool member (std::size_t object, std::string_view &name) {
    if (here() != '"')
      return stray();
    if (!string(name))
      return false;
    if (++members_ > max_members)
      return fail("the frame has too many members: expected at most " +
                  std::to_string(max_members));
    for (std::size_t i = object + 1; i < nodes_.size(); i += nodes_[i].size)
      if (nodes_[i].name == name)
        return fail("the member " + quoted(name) + " stands twice: expected it once");
    blanks();
    if (here() != ':')
      return stray();
    ++at_;
    blanks();
    return true;
  }

  bool word (std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected)
      return at_ + expected.size() > text_.size() ? fail("the frame is cut: expected JSON")
                                                  : stray();
    at_ += expected.size();
    return true;
  }

  bool digits () {
    if (!is_digit(here()))
      return stray();
    while (is_digit(here()))
      ++at_;
    return true;
  }

  bool number (JsonNode &node) {
    const std::size_t start = at_;
    if (here() == '-')
      ++at_;
    const std::size_t whole = at_;
    if (!digits())
      return false;
    const std::size_t size = at_ - whole;
    node.kind = JsonKind::integer;
    if (here() == '.') {
      node.kind = JsonKind::real;
      ++at_;
      if (!digits())
        return false;
    }
    if (here() == 'e' || here() == 'E') {
      node.kind = JsonKind::real;
      ++at_;
      if (here() == '+' || here() == '-')
        ++at_;
      if (!digits())
        return false;
    }
    const std::string_view token = text_.substr(start, at_ - start);
    if (size > 1 && text_[whole] == '0')
      return fail("the number " + quoted(token) + ": expected no leading zero");
    if (node.kind == JsonKind::real) {
      // The document's text ends with a NUL.
      node.real = g_ascii_strtod(token.data(), nullptr);
      return true;
    }
    if (size > max_integer_digits)
      return fail("the number " + quoted(token) + ": expected at most 18 digits");
    std::from_chars(token.data(), token.data() + token.size(), node.integer);
    node.real = static_cast<double>(node.integer);
    return true;
  }

  bool string (std::string_view &into) {
    const std::size_t start = ++at_;
    std::size_t copied = start;
    const std::size_t begin = unescaped_.size();
    while (here() != '"') {
      const auto c = static_cast<unsigned char>(here());
      if (at_ == text_.size())
        return fail("the frame is cut inside of a text: expected a whole JSON object");
      if (c < 0x20)
        return fail("a control character" + offset() + "expected it escaped");
      if (c != '\\') {
        ++at_;
        continue;
      }
      // Views of it stay good: nothing grows by being unescaped.
      unescaped_.reserve(text_.size());
      unescaped_ += text_.substr(copied, at_ - copied);
      if (!escape())
        return false;
      copied = at_;
    }
    if (copied == start) {
      into = text_.substr(start, at_ - start);
    } else {
      unescaped_ += text_.substr(copied, at_ - copied);
      into = std::string_view(unescaped_).substr(begin);
    }
    ++at_;
    return true;
  }

  bool escape () {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (kind != 'u') {
      const std::size_t which = kind == '\0' ? std::string_view::npos : letters.find(kind);
      if (which == std::string_view::npos)
        return fail("a wrong escape" + offset() + "expected JSON");
      unescaped_ += meant[which];
      at_ += 2;
      return true;
    }
    int unit = hex4(at_ + 2);
    std::size_t size = 6;
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const int trail = text_.substr(at_ + size, 2) == "\\u" ? hex4(at_ + size + 2) : -1;
      unit = trail >= 0xdc00 && trail <= 0xdfff ? 0x10000 + ((unit - 0xd800) << 10) + trail - 0xdc00
                                                : -1;
      size = 12;
    }
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
      return fail("a wrong escape" + offset() + "expected a character other than NUL");
    char bytes[6];
    const int count = g_unichar_to_utf8(static_cast<gunichar>(unit), bytes);
    unescaped_.append(bytes, static_cast<std::size_t>(count));
    at_ += size;
    return true;
  }

  int hex4 (std::size_t from) const {
    if (from + 4 > text_.size())
      return -1;
    int value = 0;
    for (std::size_t i = from; i < from + 4; ++i) {
      const int digit = g_ascii_xdigit_value(text_[i]);
      if (digit < 0)
        return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  const std::string_view text_;
  std::string &unescaped_;
  std::vector<JsonNode> &nodes_;
  const unsigned max_depth_;
  std::size_t at_ = 0;
  unsigned members_ = 0;
  std::string reason_;
};

JsonDocumentPtr parse_object (std::string_view text, std::size_t max_bytes, unsigned max_depth,
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
  auto document = std::make_unique<JsonDocument>(text);
  JsonParser parser(*document, max_depth);
  if (parser.run(start))
    return document;
  reason = parser.take_reason();
  return nullptr;
}

const JsonNode *JsonNode::member(std::string_view called) const {
  for (const auto *each = begin(); each != end(); each = each->next())
    if (each->name == called)
      return each;
  return nullptr;
}

}  // namespace agora::protocol
