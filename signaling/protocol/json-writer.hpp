// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// JSON texts, one member a call.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace agora::protocol {

// Writes members in the order of the calls, which is the order that the vendor's client has. Texts
// pass as they are: that they are UTF-8 has been seen to where they came in.
class JsonWriter {
 public:
  JsonWriter() { writer_.StartObject(); }

  JsonWriter &text (const char *name, std::string_view value) {
    writer_.Key(name);
    return item(value);
  }
  JsonWriter &integer (const char *name, std::int64_t value) {
    writer_.Key(name);
    return item(value);
  }
  JsonWriter &boolean (const char *name, bool value) {
    writer_.Key(name);
    writer_.Bool(value);
    return *this;
  }
  JsonWriter &null (const char *name) {
    writer_.Key(name);
    writer_.Null();
    return *this;
  }
  JsonWriter &begin (const char *name) {
    writer_.Key(name);
    return item();
  }
  JsonWriter &end () {
    writer_.EndObject();
    return *this;
  }
  JsonWriter &begin_list (const char *name) {
    writer_.Key(name);
    writer_.StartArray();
    return *this;
  }
  JsonWriter &end_list () {
    writer_.EndArray();
    return *this;
  }
  JsonWriter &item () {
    writer_.StartObject();
    return *this;
  }
  JsonWriter &item (std::int64_t value) {
    writer_.Int64(value);
    return *this;
  }
  JsonWriter &item (std::string_view value) {
    // Newer versions insist on an address, be it of nothing.
    writer_.String(value.empty() ? "" : value.data(),
                   static_cast<rapidjson::SizeType>(value.size()));
    return *this;
  }

  // Of what is written so far.
  std::size_t size () const { return buffer_.GetSize(); }

  std::string finish () {
    end();
    return {buffer_.GetString(), buffer_.GetSize()};
  }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace agora::protocol
