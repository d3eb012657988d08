// SPDX-License-Identifier: LGPL-2.1-or-later
// Each speaker at hand: faders that are heard as the documentation has them, the children that they
// are, and the list of whom to listen to. Every speaker is a tone of its own.
#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>

#include <cmath>

#include "tests/element/src/ear.hpp"

namespace {

using namespace agora::test;

constexpr double sent = 0.1;
constexpr int left = 0, right = 1;

double hertz (guint uid) {
  return 100. * uid;
}

std::string speaker (const GatewayProcess &gateway, guint uid) {
  const std::string n = std::to_string(uid);
  return "audiotestsrc name=tone" + n +
         " is-live=true samplesperbuffer=480 freq=" + std::to_string(hertz(uid)) +
         " volume=" + std::to_string(sent) + " ! agorasink name=host" + n +
         in_room(gateway, "uid=" + n);
}

// Speakers 8 and 13, and somebody who listens to them.
class Room {
 public:
  explicit Room(const std::string &properties = "")
      : speakers(speaker(gateway, 8) + speaker(gateway, 13)),
        pipeline("agorasrc name=listener " + in_room(gateway, properties) + "!" + Ear::kHeard +
                 "! fakesink name=end sync=true"),
        ear(pipeline, "end"),
        listener(pipeline.get("listener")) {
    g_signal_connect(listener, "child-added", G_CALLBACK(count), &added);
    g_signal_connect(listener, "child-removed", G_CALLBACK(count), &removed);
  }
  ~Room() {
    // Before it is stopped: it tells of children until it is gone.
    g_signal_handlers_disconnect_by_data(listener, &added);
    g_signal_handlers_disconnect_by_data(listener, &removed);
    gst_object_unref(listener);
  }

  void start () {
    pipeline.set_state(GST_STATE_PLAYING);
    speakers.set_state(GST_STATE_PLAYING);
    expect(8, 1, 1);
    expect(13, 1, 1);
  }

  // A speaker goes, or comes back.
  void on_air (guint uid, bool on) {
    const std::string n = std::to_string(uid), tone = "tone" + n, host = "host" + n;
    const GstState state = on ? GST_STATE_PLAYING : GST_STATE_NULL;
    speakers.set_state((on ? host : tone).c_str(), state);
    speakers.set_state((on ? tone : host).c_str(), state);
  }

  bool near (guint uid, int channel, double gain) const {
    return std::fabs(ear.tone(hertz(uid), channel) - gain * sent) < 0.08 * sent * (gain + 0.1);
  }

  // So loud is it heard on either side, soon.
  void expect (guint uid, double gain_left, double gain_right) {
    g_autofree char *what =
        g_strdup_printf("speaker %u at %.2f left and %.2f right", uid, gain_left, gain_right);
    wait_until(
        [&] {
          pipeline.read();
          return near(uid, left, gain_left) && near(uid, right, gain_right);
        },
        what, 10);
  }

  bool has_child (const char *name) const {
    GstChildProxy *proxy = GST_CHILD_PROXY(listener);
    for (guint i = 0; i < gst_child_proxy_get_children_count(proxy); i++) {
      g_autoptr(GObject) child = gst_child_proxy_get_child_by_index(proxy, i);
      if (g_str_equal(GST_OBJECT_NAME(child), name))
        return true;
    }
    return false;
  }

  static void count (GstChildProxy *, GObject *child, const char *name, int *counter) {
    g_assert_cmpstr(GST_OBJECT_NAME(child), ==, name);
    g_assert_true(g_str_has_prefix(name, "speaker-"));
    g_atomic_int_inc(counter);
  }

  GatewayProcess gateway;
  Pipeline speakers;
  Pipeline pipeline;
  Ear ear;
  GstElement *listener;
  int added = 0, removed = 0;
};

void set (Room &room, const char *name, double value) {
  gst_child_proxy_set(GST_CHILD_PROXY(room.listener), name, value, nullptr);
}

void switch_to (Room &room, const char *name, bool value) {
  gst_child_proxy_set(GST_CHILD_PROXY(room.listener), name, value, nullptr);
}

void test_heard () {
  Room room;
  room.start();
  set(room, "speaker-8::pan", -1);
  room.expect(8, 1, 0);
  set(room, "speaker-8::pan", 0.5);
  room.expect(8, 0.5, 1);
  set(room, "speaker-8::volume", 2);
  room.expect(8, 1, 2);
  room.expect(13, 1, 1);
  switch_to(room, "speaker-13::solo", true);
  room.expect(8, 0, 0);
  room.expect(13, 1, 1);
  switch_to(room, "speaker-8::solo", true);
  room.expect(8, 1, 2);
  switch_to(room, "speaker-8::mute", true);
  room.expect(8, 0, 0);
  room.expect(13, 1, 1);
  switch_to(room, "speaker-8::solo", false);
  switch_to(room, "speaker-8::mute", false);
  switch_to(room, "speaker-13::solo", false);
  room.expect(8, 1, 2);
  room.expect(13, 1, 1);
  g_assert_cmpfloat(std::fabs(room.ear.missing()), <, 0.001);
}

// What was set before a speaker came is there when it comes, and still there when it comes again.
void test_kept () {
  Room room;
  set(room, "speaker-8::volume", 0.5);
  set(room, "speaker-8::pan", 1);
  room.pipeline.set_state(GST_STATE_PLAYING);
  room.speakers.set_state(GST_STATE_PLAYING);
  for (int time = 0; time < 3; time++) {
    room.expect(13, 1, 1);
    room.expect(8, 0, 0.5);
    room.on_air(8, false);
    room.expect(8, 0, 0);
    g_assert_true(room.has_child("speaker-8"));
    room.on_air(8, true);
  }
}

// A child that nobody uses goes with its speaker; one that was set, is held, watched or controlled
// stays.
void test_children () {
  Room room;
  GstChildProxy *proxy = GST_CHILD_PROXY(room.listener);
  room.start();
  g_assert_cmpint(room.added, ==, 2);
  const auto leave_and_stay = [&] (bool stays) {
    const int removed = room.removed;
    room.on_air(8, false);
    room.expect(8, 0, 0);
    if (!stays)
      WAIT_UNTIL(g_atomic_int_get(&room.removed) == removed + 1);
    WAIT_UNTIL(room.has_child("speaker-8") == stays);
    room.on_air(8, true);
    room.expect(8, 1, 1);
    g_assert_true(room.has_child("speaker-8"));
    g_assert_cmpint(room.removed, ==, removed + !stays);
  };
  leave_and_stay(false);
  g_assert_cmpint(room.added, ==, 3);
  GObject *child = gst_child_proxy_get_child_by_name(proxy, "speaker-8");
  leave_and_stay(true);
  const gulong handler = g_signal_connect(child, "notify::volume", G_CALLBACK(+[] {}), nullptr);
  g_object_unref(child);
  leave_and_stay(true);
  g_signal_handler_disconnect(child, handler);
  leave_and_stay(false);

  set(room, "speaker-8::volume", 0.5);
  room.on_air(8, false);
  room.expect(8, 0, 0);
  // Of another one, too, that never spoke.
  set(room, "speaker-99::pan", 0.5);
  room.pipeline.set_state(GST_STATE_NULL);
  g_assert_true(room.has_child("speaker-8"));
  g_assert_true(room.has_child("speaker-99"));
  g_assert_false(room.has_child("speaker-13"));
  // Set back to what it was it is of no use any more.
  set(room, "speaker-99::pan", 0);
  room.pipeline.set_state(GST_STATE_PLAYING);
  room.expect(13, 1, 1);
  room.pipeline.set_state(GST_STATE_NULL);
  g_assert_true(room.has_child("speaker-8"));
  g_assert_false(room.has_child("speaker-99"));
  g_assert_cmpint(room.added - room.removed, ==, 1);
}

void test_names () {
  Room room;
  GstChildProxy *proxy = GST_CHILD_PROXY(room.listener);
  for (const char *name : {"mix", "convert", "speaker-", "speaker", "speaker-0", "speaker-08",
                           "speaker--8", "speaker-+8", "speaker- 8", "speaker-8x", "Speaker-8",
                           "speaker-4294967296", "speaker-18446744073709551624"}) {
    g_assert_null(gst_child_proxy_get_child_by_name(proxy, name));
    g_autofree char *property = g_strdup_printf("%s::volume", name);
    g_assert_false(gst_child_proxy_lookup(proxy, property, nullptr, nullptr));
  }
  g_assert_false(gst_child_proxy_lookup(proxy, "speaker-8::loudness", nullptr, nullptr));
  // Asked for, and not used.
  for (guint i = 0; i < gst_child_proxy_get_children_count(proxy); i++) {
    g_autoptr(GObject) child = gst_child_proxy_get_child_by_index(proxy, i);
    g_assert_cmpstr(GST_OBJECT_NAME(child), ==, "speaker-8");
  }
  g_assert_null(gst_child_proxy_get_child_by_index(proxy, 1));
  g_autoptr(GObject) highest = gst_child_proxy_get_child_by_name(proxy, "speaker-4294967295");
  guint uid = 0;
  g_object_get(highest, "uid", &uid, nullptr);
  g_assert_cmpuint(uid, ==, G_MAXUINT32);
  // As gst_child_proxy_set() tells of any name that isn't there.
  g_test_expect_message("GStreamer", G_LOG_LEVEL_WARNING, "*speaker-x::volume*");
  set(room, "speaker-x::volume", 1);
  g_test_assert_expected_messages();
}

// A curve is followed from block to block.
void test_controlled () {
  Room room;
  room.start();
  g_autoptr(GObject) child =
      gst_child_proxy_get_child_by_name(GST_CHILD_PROXY(room.listener), "speaker-8");
  GstControlSource *curve = gst_interpolation_control_source_new();
  g_object_set(curve, "mode", GST_INTERPOLATION_MODE_LINEAR, nullptr);
  auto *points = GST_TIMED_VALUE_CONTROL_SOURCE(curve);
  // The first guess of where sound belongs is corrected before.
  const double begin = room.ear.until() + 2.5;
  const auto at = [begin] (double seconds) {
    return static_cast<GstClockTime>((begin + seconds) * GST_SECOND);
  };
  gst_timed_value_control_source_set(points, 0, 1);
  gst_timed_value_control_source_set(points, at(0), 1);
  gst_timed_value_control_source_set(points, at(1), 0);
  gst_timed_value_control_source_set(points, at(1.5), 0);
  gst_timed_value_control_source_set(points, at(2), 2);
  GstControlBinding *binding =
      gst_direct_control_binding_new_absolute(GST_OBJECT(child), "volume", curve);
  g_assert_true(gst_object_add_control_binding(GST_OBJECT(child), binding));
  WAIT_UNTIL(room.ear.until() > begin + 2.2);
  const struct {
    double from, gain;
  } cases[] = {{-0.2, 1}, {0.2, 0.75}, {0.45, 0.5}, {0.7, 0.25}, {1.2, 0}, {1.7, 1}, {2.05, 2}};
  for (const auto &each : cases) {
    // In the middle of its 100 ms the curve is at that gain, and as far above as below around it.
    const double heard = room.ear.tone(hertz(8), left, 100, begin + each.from) / sent;
    g_test_message("at %+.2f s: %.3f, expected %.3f", each.from, heard, each.gain);
    g_assert_cmpfloat(std::fabs(heard - each.gain), <, 0.04 * each.gain + 0.01);
  }
  room.expect(13, 1, 1);

  // It is its child's own, which stays for it; without it the fader stays where it was.
  g_clear_object(&child);
  room.on_air(8, false);
  room.expect(8, 0, 0);
  g_assert_true(room.has_child("speaker-8"));
  room.on_air(8, true);
  room.expect(8, 2, 2);
  child = gst_child_proxy_get_child_by_name(GST_CHILD_PROXY(room.listener), "speaker-8");
  g_assert_true(gst_object_remove_control_binding(GST_OBJECT(child), binding));
  gst_object_unref(curve);
  set(room, "speaker-8::volume", 0.5);
  room.expect(8, 0.5, 0.5);
}

// Whom to listen to, changed while it plays; what is no list leaves it as it is.
void test_speakers () {
  Room room;
  room.start();
  const auto choose = [&] (const char *uids) {
    g_object_set(room.listener, "speakers", uids, nullptr);
  };
  choose("13");
  room.expect(8, 0, 0);
  room.expect(13, 1, 1);
  choose(" 8 , 77,");
  room.expect(13, 0, 0);
  room.expect(8, 1, 1);
  unsigned warnings = 0;
  for (const char *bad : {"abc", "8;13", "-8", "0", "13,4294967296", "13,8x"}) {
    choose(bad);
    g_assert_cmpuint(room.pipeline.warnings(), ==, ++warnings);
    g_assert_nonnull(strstr(room.pipeline.complaint().c_str(), bad));
  }
  g_autofree char *list = nullptr;
  g_object_get(room.listener, "speakers", &list, nullptr);
  g_assert_cmpstr(list, ==, "8,77");
  room.expect(13, 0, 0);
  room.expect(8, 1, 1);
  choose("");
  room.expect(13, 1, 1);
  room.expect(8, 1, 1);
  choose("77");
  room.expect(8, 0, 0);
  room.expect(13, 0, 0);
  g_object_set(room.listener, "speakers", nullptr, nullptr);
  room.expect(13, 1, 1);
  room.expect(8, 1, 1);
  g_assert_cmpuint(room.pipeline.warnings(), ==, warnings);
  g_assert_cmpfloat(std::fabs(room.ear.missing()), <, 0.001);
}

// Before it starts, what is no list is an ERROR, until it is one.
void test_no_list () {
  Room room;
  room.pipeline.expect_errors();
  g_object_set(room.listener, "speakers", "8", nullptr);
  g_object_set(room.listener, "speakers", "8 13", nullptr);
  for (int time = 1; time < 3; time++) {
    room.pipeline.set_state(GST_STATE_PLAYING);
    g_assert_cmpuint(room.pipeline.errors(), ==, time);
    g_assert_nonnull(strstr(room.pipeline.complaint().c_str(), "“8 13”"));
    room.pipeline.set_state(GST_STATE_NULL);
  }
  g_object_set(room.listener, "speakers", "13", nullptr);
  room.pipeline.set_state(GST_STATE_PLAYING);
  room.speakers.set_state(GST_STATE_PLAYING);
  room.expect(13, 1, 1);
  room.expect(8, 0, 0);
  g_assert_cmpuint(room.pipeline.errors(), ==, 2);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/faders/heard", test_heard);
  g_test_add_func("/faders/kept", test_kept);
  g_test_add_func("/faders/children", test_children);
  g_test_add_func("/faders/names", test_names);
  g_test_add_func("/faders/controlled", test_controlled);
  g_test_add_func("/faders/speakers", test_speakers);
  g_test_add_func("/faders/no-list", test_no_list);
  return g_test_run();
}
