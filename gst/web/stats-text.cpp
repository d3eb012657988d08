// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
#include "gst/web/stats-text.hpp"

#include "signaling/protocol/web-line.hpp"

namespace agora::web {

namespace {

// The rest is for one more speaker and for what else there is to tell.
constexpr std::size_t room = web_line::max_called - 4 * 1024;

}  // namespace

using protocol::JsonWriter;

void write_numbers (JsonWriter &json, const GstStructure *structure) {
  if (structure == nullptr)
    return;
  for (int i = 0; i < gst_structure_n_fields(structure); i++) {
    const char *name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    GValue number = G_VALUE_INIT;
    g_value_init(&number, G_TYPE_INT64);
    const GValue *value = gst_structure_get_value(structure, name);
    if (G_VALUE_TYPE(value) != G_TYPE_BOOLEAN && g_value_transform(value, &number))
      json.integer(name, g_value_get_int64(&number));
    g_value_unset(&number);
  }
}

void write_speakers (JsonWriter &json, const GstStructure *stats) {
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  const GValue *value = stats ? gst_structure_get_value(stats, "speakers") : nullptr;
  const auto *speakers = value ? static_cast<GValueArray *>(g_value_get_boxed(value)) : nullptr;
  const guint count = speakers ? speakers->n_values : 0;
  json.begin_list("speakers");
  guint next = 0;
  for (; next < count && json.size() < room; next++) {
    json.item();
    write_numbers(json, gst_value_get_structure(&speakers->values[next]));
    json.end();
  }
  json.end_list();
  json.integer("speakers-left-out", count - next);
  G_GNUC_END_IGNORE_DEPRECATIONS
}

}  // namespace agora::web
