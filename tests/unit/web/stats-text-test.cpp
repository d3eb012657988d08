// SPDX-License-Identifier: LGPL-2.1-or-later
// Statistics as a page gets them: they fit into an answer, however many speak.
#include "gst/web/stats-text.hpp"

#include <limits>
#include <variant>

#include "signaling/protocol/web-line.hpp"

using namespace agora;
using namespace agora::web;

namespace {

struct FreeStructure {
  void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};
using StructurePtr = std::unique_ptr<GstStructure, FreeStructure>;

// As agorasrc's, with numbers as long as they get.
StructurePtr stats_of (guint count) {
  constexpr guint64 most = std::numeric_limits<gint64>::max();
  StructurePtr stats(gst_structure_new_empty("agorasrc-stats"));
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  GValueArray *speakers = g_value_array_new(0);
  for (guint i = 0; i < count; i++) {
    GstStructure *one = gst_structure_new(
        "speaker", "uid", G_TYPE_UINT, G_MAXUINT - i, "late-ms", G_TYPE_UINT64, most, "dropped-ms",
        G_TYPE_UINT64, most, "concealed-ms", G_TYPE_UINT64, most, "underruns", G_TYPE_UINT64, most,
        "drift-ppm", G_TYPE_DOUBLE, -1e9, "jitter-ms", G_TYPE_DOUBLE, 1e9, "queued-ms",
        G_TYPE_DOUBLE, 1e9, "delay-ms", G_TYPE_DOUBLE, 1e9, "mouth-to-ear-ms", G_TYPE_DOUBLE, 1e9,
        "mouth-to-ear-needs-synchronised-clocks", G_TYPE_BOOLEAN, TRUE, nullptr);
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, one);
    g_value_array_append(speakers, &value);
    g_value_unset(&value);
  }
  GValue list = G_VALUE_INIT;
  g_value_init(&list, g_value_array_get_type());
  g_value_take_boxed(&list, speakers);
  gst_structure_take_value(stats.get(), "speakers", &list);
  G_GNUC_END_IGNORE_DEPRECATIONS
  return stats;
}

std::string text_of (const GstStructure *stats) {
  protocol::JsonWriter json;
  json.begin("hear");
  write_speakers(json, stats);
  json.end();
  return json.finish();
}

std::size_t listed (const std::string &text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("\"uid\""); at != text.npos; at = text.find("\"uid\"", at + 1))
    count++;
  return count;
}

void test_as_many_as_fit () {
  for (const guint count : {0U, 1U, 100U, 150U, 1000U, 5000U}) {
    const StructurePtr stats = stats_of(count);
    const std::string text = text_of(stats.get());
    const std::size_t shown = listed(text);
    // What a channel may well have is all there.
    g_assert_cmpuint(shown, >=, MIN(count, 100));
    const std::string left = "\"speakers-left-out\":" + std::to_string(count - shown) + "}";
    g_assert_true(text.find(left) != text.npos);
    const auto packet = web_line::encode(web_line::Called{1, 1, 200, text});
    g_assert_true(packet.has_value());
    const auto read = web_line::decode_to_gateway(*packet);
    g_assert_true(std::get<web_line::Called>(std::get<web_line::ToGateway>(read)).text == text);
  }
}

void test_none () {
  const std::string text = text_of(nullptr);
  g_assert_cmpstr(text.c_str(), ==, R"({"hear":{"speakers":[],"speakers-left-out":0}})");
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/web/stats-text/as-many-as-fit", test_as_many_as_fit);
  g_test_add_func("/web/stats-text/none", test_none);
  return g_test_run();
}
