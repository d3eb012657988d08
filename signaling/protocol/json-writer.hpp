// SPDX-License-Identifier: LGPL-2.1-or-later
// JSON texts, one member a call.
#pragma once

#include <json-glib/json-glib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "signaling/protocol/json.hpp"

namespace agora::protocol {

// Writes members in the order of the calls, which is the order that the vendor's client has.
class JsonWriter {
 public:
  JsonWriter() : builder_(json_builder_new()) { json_builder_begin_object(builder_.get()); }

  JsonWriter &text (const char *name, std::string_view value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_string_value(builder_.get(), std::string(value).c_str());
    return *this;
  }
  JsonWriter &integer (const char *name, std::int64_t value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_int_value(builder_.get(), value);
    return *this;
  }
  JsonWriter &boolean (const char *name, bool value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_boolean_value(builder_.get(), value);
    return *this;
  }
  JsonWriter &null (const char *name) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_null_value(builder_.get());
    return *this;
  }
  JsonWriter &begin (const char *name) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_begin_object(builder_.get());
    return *this;
  }
  JsonWriter &item () {
    json_builder_begin_object(builder_.get());
    return *this;
  }
  JsonWriter &end () {
    json_builder_end_object(builder_.get());
    return *this;
  }
  JsonWriter &begin_list (const char *name) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_begin_array(builder_.get());
    return *this;
  }
  JsonWriter &end_list () {
    json_builder_end_array(builder_.get());
    return *this;
  }
  JsonWriter &item (std::int64_t value) {
    json_builder_add_int_value(builder_.get(), value);
    return *this;
  }
  JsonWriter &item (std::string_view value) {
    json_builder_add_string_value(builder_.get(), std::string(value).c_str());
    return *this;
  }
  JsonBuilder *builder () { return builder_.get(); }

  std::string finish () {
    end();
    JsonNodePtr root(json_builder_get_root(builder_.get()));
    return to_text(root.get());
  }

 private:
  struct Unref {
    void operator()(JsonBuilder *builder) const { g_object_unref(builder); }
  };
  std::unique_ptr<JsonBuilder, Unref> builder_;
};

}  // namespace agora::protocol
