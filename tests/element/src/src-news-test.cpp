// SPDX-License-Identifier: LGPL-2.1-or-later
// What agorasrc tells of silence and loudness, and what that costs the mix's thread.
#include <gst/gst.h>

#include <array>
#include <string>

#include "gst/mix/mixer.hpp"
#include "gst/src/src-monitor.hpp"
#include "gst/src/src-settings.hpp"

using namespace agora;

namespace {

constexpr int rate = 48000;
constexpr std::size_t frames = rate / 100;
constexpr std::int64_t block_ns = 10 * GST_MSECOND;

void set_time (SrcSettingsStore &settings, GstElement *element, guint id, GstClockTime time) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, G_TYPE_UINT64);
  g_value_set_uint64(&value, time);
  g_assert_true(settings.set(G_OBJECT(element), id, &value));
  g_value_unset(&value);
}

// However many fall silent at once, the names are fetched once; and not where nobody does.
void test_names_are_fetched_once () {
  g_autoptr(GstElement) element = gst_pipeline_new(nullptr);
  g_autoptr(GstBus) bus = gst_element_get_bus(element);
  SrcSettingsStore settings;
  set_time(settings, element, kSilenceTime, 100 * GST_MSECOND);
  Mixer mixer;
  mixer.configure(rate, 1);
  mixer.set_monitoring(monitor_settings(settings.copy(G_OBJECT(element)), 0));
  for (const std::uint32_t uid : {7, 8, 9})
    mixer.add(uid, 0);
  MonitorNews news;
  unsigned fetched = 0;
  std::int64_t now = 0;
  std::array<float, frames> out{};
  const auto run = [&] (unsigned blocks) {
    for (unsigned i = 0; i < blocks; i++, now += block_ns)
      mixer.mix(now, out.data(), frames);
    news.post(element, settings, mixer, static_cast<GstClockTime>(now), [&] {
      fetched++;
      return SpeakerNames{{8, "Ann"}};
    });
  };
  run(5);
  g_assert_cmpuint(fetched, ==, 0);
  run(20);
  unsigned silent = 0;
  unsigned named = 0;
  while (GstMessage *message = gst_bus_pop(bus)) {
    const GstStructure *structure = gst_message_get_structure(message);
    guint uid = 0;
    if (gst_structure_has_name(structure, "agora-silence") &&
        gst_structure_get_uint(structure, "uid", &uid)) {
      silent++;
      g_assert_true((uid == 8) == gst_structure_has_field(structure, "name"));
      named += uid == 8 ? 1 : 0;
    }
    gst_message_unref(message);
  }
  g_assert_cmpuint(silent, ==, 3);
  g_assert_cmpuint(named, ==, 1);
  g_assert_cmpuint(fetched, ==, 1);
}

// Milliseconds or seconds, where nanoseconds are expected, are most likely a mistake.
void test_other_units_are_told_of () {
  g_autoptr(GstElement) element = gst_pipeline_new(nullptr);
  g_autoptr(GstBus) bus = gst_element_get_bus(element);
  for (const guint id : {kSilenceTime, kLevelInterval, kLoudnessInterval})
    for (const GstClockTime time : {GstClockTime(0), GstClockTime(1), GstClockTime(999'999),
                                    GstClockTime(GST_MSECOND), GstClockTime(GST_SECOND)}) {
      SrcSettingsStore settings;
      set_time(settings, element, id, time);
      look_at_times(element, settings);
      g_autoptr(GstMessage) message = gst_bus_pop(bus);
      g_assert_true((message != nullptr) == (time == 1 || time == 999'999));
      g_assert_true(message == nullptr || GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING);
    }
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/src-news/names-are-fetched-once", test_names_are_fetched_once);
  g_test_add_func("/src-news/other-units-are-told-of", test_other_units_are_told_of);
  return g_test_run();
}
