// SPDX-License-Identifier: LGPL-2.1-or-later
// JSON texts, one member a call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace agora::protocol {

// Writes members in the order of the calls, which is the order that the vendor's client has.
class JsonWriter {
 public:
  JsonWriter() : text_(1, '{') {}

  JsonWriter &text (const char *name, std::string_view value) {
    key(name);
    string(value);
    return *this;
  }
  JsonWriter &integer (const char *name, std::int64_t value) {
    key(name);
    text_ += std::to_string(value);
    return *this;
  }
  JsonWriter &boolean (const char *name, bool value) {
    key(name);
    text_ += value ? "true" : "false";
    return *this;
  }
  JsonWriter &null (const char *name) {
    key(name);
    text_ += "null";
    return *this;
  }
  JsonWriter &begin (const char *name) {
    key(name);
    text_ += '{';
    return *this;
  }
  JsonWriter &end () {
    text_ += '}';
    return *this;
  }
  JsonWriter &begin_list (const char *name) {
    key(name);
    text_ += '[';
    return *this;
  }
  JsonWriter &end_list () {
    text_ += ']';
    return *this;
  }
  JsonWriter &item () {
    comma();
    text_ += '{';
    return *this;
  }
  JsonWriter &item (std::int64_t value) {
    comma();
    text_ += std::to_string(value);
    return *this;
  }
  JsonWriter &item (std::string_view value) {
    comma();
    string(value);
    return *this;
  }

  std::string finish () {
    end();
    return std::move(text_);
  }

 private:
  void comma () {
    if (text_.back() != '{' && text_.back() != '[')
      text_ += ',';
  }
  void key (const char *name) {
    comma();
    string(name);
    text_ += ':';
  }
  void string (std::string_view value);

  std::string text_;
};

}  // namespace agora::protocol
