// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// A look into JSON that may hold anything: what isn't there, or is of another kind, is nothing.
#pragma once

#include <json-glib/json-glib.h>

#include <cstdint>
#include <optional>
#include <string>

namespace agora::gateway {

class JsonView {
 public:
  JsonView() = default;
  // Lives no longer than the object.
  explicit JsonView(JsonObject *object) : object_(object) {}

  explicit operator bool() const { return object_ != nullptr; }

  std::optional<std::int64_t> number (const char *name) const {
    JsonNode *node = find(name);
    if (node == nullptr || !JSON_NODE_HOLDS_VALUE(node) ||
        json_node_get_value_type(node) != G_TYPE_INT64)
      return std::nullopt;
    return json_node_get_int(node);
  }
  std::int64_t count (const char *name) const { return number(name).value_or(0); }
  bool flag (const char *name) const {
    JsonNode *node = find(name);
    return node != nullptr && JSON_NODE_HOLDS_VALUE(node) &&
           json_node_get_value_type(node) == G_TYPE_BOOLEAN && json_node_get_boolean(node);
  }
  std::string text (const char *name) const {
    JsonNode *node = find(name);
    if (node == nullptr || !JSON_NODE_HOLDS_VALUE(node) ||
        json_node_get_value_type(node) != G_TYPE_STRING)
      return "";
    return json_node_get_string(node);
  }
  JsonView object (const char *name) const {
    JsonNode *node = find(name);
    return JsonView(node != nullptr && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node)
                                                                    : nullptr);
  }
  // Each object of a list.
  template <typename Visit>
  void each (const char *name, const Visit &visit) const {
    JsonNode *node = find(name);
    if (node == nullptr || !JSON_NODE_HOLDS_ARRAY(node))
      return;
    JsonArray *list = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(list); i++)
      if (JsonNode *item = json_array_get_element(list, i); JSON_NODE_HOLDS_OBJECT(item))
        visit(JsonView(json_node_get_object(item)));
  }
  std::size_t length (const char *name) const {
    JsonNode *node = find(name);
    return node != nullptr && JSON_NODE_HOLDS_ARRAY(node)
               ? json_array_get_length(json_node_get_array(node))
               : 0;
  }

 private:
  JsonNode *find (const char *name) const {
    return object_ != nullptr ? json_object_get_member(object_, name) : nullptr;
  }

  JsonObject *object_ = nullptr;
};

}  // namespace agora::gateway
