// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/protocol/json.hpp"

#include <glib.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <utility>

#include "signaling/protocol/argument-checks.hpp"

namespace agora::protocol {

namespace {

constexpr std::size_t max_integer_digits = 18;  // what surely fits 63 bits

// RapidJSON 1.1 computes with exponents that overflow, so numbers come as they are written. Its own
// check of UTF-8 reads beyond the end where a character is cut, so GLib has had a look before.
constexpr unsigned parse_flags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseNumbersAsStringsFlag;

// A type of its own, since of RapidJSON's the reader makes copies, and what is behind the value
// that it has just read could not be told.
struct JsonStream : rapidjson::InsituStringStream {
  using rapidjson::InsituStringStream::GenericInsituStringStream;
};

std::string offset (std::size_t at) {
  return " at offset " + std::to_string(at) + ": ";
}

std::string wrong_escape (std::size_t at) {
  return "a wrong escape" + offset(at) + "expected a character other than NUL";
}

std::string reason_of (const rapidjson::ParseResult &result, std::string_view text) {
  const std::size_t at = result.Offset();
  const bool cut = at >= text.size();
  switch (result.Code()) {
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "the frame is cut inside of a text: expected a whole JSON object";
    case rapidjson::kParseErrorStringInvalidEncoding:  // what newer versions say
    case rapidjson::kParseErrorStringEscapeInvalid:
      if (!cut && text[at] != '\\')
        return "a control character" + offset(at) + "expected it escaped";
      [[fallthrough]];
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return wrong_escape(at);
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "more after the end" + offset(at) + "expected one JSON object";
    case rapidjson::kParseErrorNumberTooBig:
      return "a number that does not fit" + offset(at) + "expected at most 18 digits, or 1e308";
    default:
      break;
  }
  if (cut)
    return "the frame is cut: expected a whole JSON object";
  if (g_ascii_isdigit(text[at]) && text[at - 1] == '0')
    return "a number" + offset(at - 1) + "expected no leading zero";
  return "a stray byte" + offset(at) + "expected JSON";
}

}  // namespace

// What the reader calls, by names of its choice, as it comes along. False stops it.
class JsonBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, JsonBuilder> {
 public:
  JsonBuilder(JsonDocument &document, unsigned max_depth, unsigned max_members)
      : text_(document.text_),
        decoded_(document.decoded_.data()),
        nodes_(document.nodes_),
        stream_(document.decoded_.data()),
        max_depth_(max_depth),
        max_members_(max_members) {
    constexpr std::size_t members_of_a_join = 32;
    nodes_.reserve(members_of_a_join);
    open_.reserve(max_depth);
  }

  // A reason, or nothing.
  std::string run () {
    rapidjson::Reader reader;
    const auto result = reader.Parse<parse_flags>(stream_, *this);
    if (!result.IsError())
      return {};
    return reason_.empty() ? reason_of(result, text_) : std::move(reason_);
  }

  bool Null () {
    add(JsonKind::null, stream_.Tell() - 4);
    return true;
  }

  bool Bool (bool value) {
    add(JsonKind::boolean, stream_.Tell() - (value ? 4 : 5)).boolean = value;
    return true;
  }

  bool RawNumber (const char *, rapidjson::SizeType size, bool) {
    JsonNode &node = add(JsonKind::integer, stream_.Tell() - size);
    const std::string_view number = node.source;
    if (number.find_first_of(".eE") != std::string_view::npos) {
      node.kind = JsonKind::real;
      // It ends before a byte that is none of a number's.
      node.real = g_ascii_strtod(number.data(), nullptr);
      return std::isfinite(node.real) ||
             fail("the number " + quoted(number) + ": expected at most 1e308");
    }
    if (number.size() - (number.front() == '-' ? 1 : 0) > max_integer_digits)
      return fail("the number " + quoted(number) + ": expected at most 18 digits");
    std::from_chars(number.data(), number.data() + number.size(), node.integer);
    node.real = static_cast<double>(node.integer);
    return true;
  }

  bool String (const char *text, rapidjson::SizeType size, bool) {
    const std::size_t start = place(text);
    const std::string_view value(text, size);
    add(JsonKind::text, start).text = value;
    return is_text(value, start);
  }

  // Readers of a frame must not differ about which of two members of one name counts.
  bool Key (const char *text, rapidjson::SizeType size, bool) {
    name_ = {text, size};
    if (!is_text(name_, place(text)))
      return false;
    if (++members_ > max_members_)
      return fail("the frame has too many members: expected at most " +
                  std::to_string(max_members_));
    for (std::size_t i = open_.back() + 1; i < nodes_.size(); i += nodes_[i].size)
      if (nodes_[i].name == name_)
        return fail("the member " + quoted(name_) + " stands twice: expected it once");
    return true;
  }

  bool StartObject () { return open(JsonKind::object); }
  bool EndObject (rapidjson::SizeType) { return close(); }
  bool StartArray () { return open(JsonKind::list); }
  bool EndArray (rapidjson::SizeType) { return close(); }

 private:
  bool fail (std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  // Of the quotation mark before what was decoded to this.
  std::size_t place (const char *text) const {
    return static_cast<std::size_t>(text - decoded_) - 1;
  }

  // Of escapes, RapidJSON 1.1 lets NUL and the second half of a surrogate pair pass. A text that is
  // as long as it was written has none.
  bool is_text (std::string_view value, std::size_t start) {
    constexpr std::size_t quotes = 2;
    return stream_.Tell() - start == value.size() + quotes ||
           g_utf8_validate(value.data(), static_cast<gssize>(value.size()), nullptr) ||
           fail(wrong_escape(start));
  }

  JsonNode &add (JsonKind kind, std::size_t start) {
    JsonNode &node = nodes_.emplace_back();
    node.kind = kind;
    node.name = std::exchange(name_, {});
    node.source = text_.substr(start, stream_.Tell() - start);
    return node;
  }

  // The bracket is yet to be taken.
  bool open (JsonKind kind) {
    if (open_.size() >= max_depth_)
      return fail("the frame is nested too deep: expected at most " + std::to_string(max_depth_));
    open_.push_back(nodes_.size());
    add(kind, stream_.Tell());
    return true;
  }

  bool close () {
    JsonNode &node = nodes_[open_.back()];
    node.size = static_cast<std::uint32_t>(nodes_.size() - open_.back());
    const auto start = static_cast<std::size_t>(node.source.data() - text_.data());
    node.source = text_.substr(start, stream_.Tell() + 1 - start);
    open_.pop_back();
    return true;
  }

  const std::string_view text_;
  const char *const decoded_;
  std::vector<JsonNode> &nodes_;
  JsonStream stream_;
  const unsigned max_depth_;
  const unsigned max_members_;
  std::vector<std::size_t> open_;  // lists and objects around the next value
  std::string_view name_;          // the next value's
  unsigned members_ = 0;
  std::string reason_;
};

JsonDocumentPtr parse_object (std::string_view text, std::size_t max_bytes, unsigned max_depth,
                              std::string &reason, unsigned max_members) {
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
  std::string found = JsonBuilder(*document, max_depth, max_members).run();
  if (found.empty())
    return document;
  reason = std::move(found);
  return nullptr;
}

const JsonNode *JsonNode::member(std::string_view called) const {
  for (const auto *each = begin(); each != end(); each = each->next())
    if (each->name == called)
      return each;
  return nullptr;
}

}  // namespace agora::protocol
