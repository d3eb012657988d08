// SPDX-License-Identifier: LGPL-2.1-or-later
#include "signaling/gateway/operator/json-text.hpp"

namespace agora::gateway {

namespace {

struct NodeUnref {
  void operator()(JsonNode *node) const noexcept { json_node_unref(node); }
};

// json-glib 1.6 writes U+001F as it is, which no JSON parser takes. Nothing but a text can hold
// one.
std::string escape_what_is_left (std::string_view json) {
  constexpr char unit_separator = '\x1f';
  std::string text;
  text.reserve(json.size());
  for (const char c : json)
    if (c == unit_separator)
      text += "\\u001f";
    else
      text += c;
  return text;
}

}  // namespace

JsonText::JsonText() : builder_(json_builder_new()) {
  json_builder_begin_object(builder_.get());
}

JsonText &JsonText::text(const char *name, std::string_view value) {
  json_builder_set_member_name(builder_.get(), name);
  return item(value);
}

JsonText &JsonText::integer(const char *name, std::int64_t value) {
  json_builder_set_member_name(builder_.get(), name);
  return item(value);
}

JsonText &JsonText::boolean(const char *name, bool value) {
  json_builder_set_member_name(builder_.get(), name);
  json_builder_add_boolean_value(builder_.get(), value);
  return *this;
}

JsonText &JsonText::null(const char *name) {
  json_builder_set_member_name(builder_.get(), name);
  json_builder_add_null_value(builder_.get());
  return *this;
}

JsonText &JsonText::begin(const char *name) {
  json_builder_set_member_name(builder_.get(), name);
  return item();
}

JsonText &JsonText::end() {
  json_builder_end_object(builder_.get());
  return *this;
}

JsonText &JsonText::begin_list(const char *name) {
  json_builder_set_member_name(builder_.get(), name);
  json_builder_begin_array(builder_.get());
  return *this;
}

JsonText &JsonText::end_list() {
  json_builder_end_array(builder_.get());
  return *this;
}

JsonText &JsonText::item() {
  json_builder_begin_object(builder_.get());
  return *this;
}

JsonText &JsonText::item(std::int64_t value) {
  json_builder_add_int_value(builder_.get(), value);
  return *this;
}

JsonText &JsonText::item(std::string_view value) {
  json_builder_add_string_value(builder_.get(), std::string(value).c_str());
  return *this;
}

std::string JsonText::finish() {
  end();
  const std::unique_ptr<JsonNode, NodeUnref> root(json_builder_get_root(builder_.get()));
  return escape_what_is_left(CharPtr(json_to_string(root.get(), FALSE)).get());
}

}  // namespace agora::gateway
