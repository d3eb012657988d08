// SPDX-License-Identifier: LGPL-2.1-or-later
// What every element of GStreamer's does, and ours do as well: URIs only while nothing runs, an EOS
// from the application, a place among the others.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <set>
#include <string>
#include <vector>

#include "tests/element/channel-rig.hpp"

namespace {

using namespace agora::test;

// RTMP sessions of listeners so far.
constexpr const char *kPlays = "agora_hooks_total{call=\"play\",answer=\"allow\"}";
constexpr const char *kAnother = "agora://127.0.0.1:1/other/place?uid=5";

std::string uri_of (GstElement *element) {
  g_autofree char *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(element));
  return uri ? uri : "";
}

void refuses_uri (GstElement *element) {
  const std::string before = uri_of(element);
  g_autoptr(GError) error = nullptr;
  g_assert_false(gst_uri_handler_set_uri(GST_URI_HANDLER(element), kAnother, &error));
  g_assert_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE);
  g_assert_nonnull(strstr(error->message, GST_OBJECT_NAME(element)));
  g_assert_nonnull(strstr(error->message, "READY"));
  g_assert_true(uri_of(element) == before);
}

// Whoever makes a bin of a description, with pads of its own for those that are unlinked, gets the
// element's, not one from its inside; so it is again after the element has played.
void test_described_bin () {
  GatewayProcess gateway;
  for (const char *text :
       {"agorasink name=us async=false", "queue ! agorasink name=us async=false"}) {
    g_autoptr(GError) error = nullptr;
    g_autoptr(GstElement) bin = gst_parse_bin_from_description(text, TRUE, &error);
    g_assert_no_error(error);
    gst_object_ref_sink(bin);
    g_autoptr(GstElement) us = gst_bin_get_by_name(GST_BIN(bin), "us");
    g_object_set(us, "gateway", gateway.ws().c_str(), "app-id", "demo", "channel", "room", nullptr);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(bin, "sink");
    g_assert_nonnull(pad);
    g_autoptr(GstPad) target = gst_ghost_pad_get_target(GST_GHOST_PAD(pad));
    g_autoptr(GstObject) whose = gst_object_get_parent(GST_OBJECT(target));
    g_autoptr(GstObject) around = gst_object_get_parent(whose);
    g_assert_true(around == GST_OBJECT(bin));
    for (int i = 0; i < 2; i++) {
      // What plays has nothing in between until sound comes; what is stopped has nothing unlinked.
      gst_element_set_state(bin, GST_STATE_PAUSED);
      gst_element_set_state(bin, GST_STATE_READY);
      g_autoptr(GstPad) unlinked = gst_bin_find_unlinked_pad(GST_BIN(us), GST_PAD_SINK);
      g_assert_null(unlinked);
    }
    g_autoptr(GstElement) source = gst_element_factory_make("audiotestsrc", nullptr);
    g_autoptr(GstElement) pipeline = gst_pipeline_new(nullptr);
    gst_bin_add_many(GST_BIN(pipeline), GST_ELEMENT(gst_object_ref(source)), bin, nullptr);
    g_assert_true(gst_element_link(source, bin));
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_assert_cmpint(gst_element_get_state(pipeline, nullptr, nullptr, 10 * GST_SECOND), ==,
                    GST_STATE_CHANGE_SUCCESS);
    gst_element_set_state(pipeline, GST_STATE_NULL);
  }
}

// An element that is in a channel goes on with that one, whatever its properties say.
void test_uri () {
  GatewayProcess gateway;
  Pipeline pipeline("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7") +
                    "agorasrc name=listener" + in_room(gateway) + "! fakesink");
  for (const char *name : {"host", "listener"}) {
    g_autoptr(GstElement) element = pipeline.get(name);
    for (const GstState state : {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PAUSED}) {
      pipeline.set_state(state);
      refuses_uri(element);
    }
    pipeline.set_state(GST_STATE_READY);
    g_autoptr(GError) error = nullptr;
    gst_uri_handler_set_uri(GST_URI_HANDLER(element), kAnother, &error);
    g_assert_no_error(error);
    g_assert_true(uri_of(element) == "agora://127.0.0.1:1/other/place?uid=5");
    g_object_set(element, "gateway", gateway.ws().c_str(), "app-id", "demo", "channel", "room",
                 nullptr);
  }
}

// Time limits as programs set them: the same number, of either sign, and what it is by default.
void test_time_limits () {
  for (const char *name : {"agorasink", "agorasrc"}) {
    g_autoptr(GstElement) element =
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(name, nullptr)));
    gint seconds = 0;
    gboolean first = TRUE;
    g_object_get(element, "reconnect-timeout", &seconds, "retry-first-join", &first, nullptr);
    g_assert_cmpint(seconds, ==, 1200);
    g_assert_false(first);
    // As a program does that knows it as the unsigned number that it was.
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_UINT);
    g_value_set_uint(&value, 60);
    g_object_set_property(G_OBJECT(element), "reconnect-timeout", &value);
    guint same = 0;
    g_object_get(element, "reconnect-timeout", &same, nullptr);
    g_assert_cmpuint(same, ==, 60);
    gst_util_set_object_arg(G_OBJECT(element), "reconnect-timeout", "-1");
    g_object_get(element, "reconnect-timeout", &seconds, nullptr);
    g_assert_cmpint(seconds, ==, -1);
    g_value_unset(&value);
  }
}

// For ever takes part in a channel like any other limit does.
void test_for_ever () {
  GatewayProcess gateway;
  Pipeline pipeline("audiotestsrc is-live=true ! agorasink name=host reconnect-timeout=-1" +
                    in_room(gateway, "uid=7"));
  Pipeline listening("agorasrc name=listener reconnect-timeout=-1 level-interval=50000000" +
                     in_room(gateway) + "! fakesink sync=true");
  pipeline.set_state(GST_STATE_PLAYING);
  listening.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(listening.heard(7));
  gateway.kill();
  WAIT_UNTIL(pipeline.told("agora-reconnecting") >= 1);
  WAIT_UNTIL(listening.told("agora-reconnecting") >= 1);
  gateway.start();
  WAIT_UNTIL(pipeline.told("agora-reconnected") >= 1);
  listening.heard(7);
  WAIT_UNTIL(listening.heard(7));
}

// The loudest sample that comes to the sink pad of an element that is given F32LE.
class Peak {
 public:
  Peak(const Pipeline &pipeline, const char *name) {
    g_autoptr(GstElement) element = pipeline.get(name);
    pad_ = gst_element_get_static_pad(element, "sink");
    probe_ = gst_pad_add_probe(pad_, GST_PAD_PROBE_TYPE_BUFFER, heard, this, nullptr);
  }
  ~Peak() {
    gst_pad_remove_probe(pad_, probe_);
    gst_object_unref(pad_);
  }
  Peak(const Peak &) = delete;
  Peak &operator=(const Peak &) = delete;

  // Since the last call.
  float take () { return peak_.exchange(0); }

 private:
  static GstPadProbeReturn heard (GstPad *, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Peak *>(data);
    GstMapInfo map;
    gst_buffer_map(GST_PAD_PROBE_INFO_BUFFER(info), &map, GST_MAP_READ);
    const auto *samples = reinterpret_cast<const float *>(map.data);
    for (gsize i = 0; i < map.size / sizeof(float); i++)
      self->peak_ = std::max(self->peak_.load(), std::fabs(samples[i]));
    gst_buffer_unmap(GST_PAD_PROBE_INFO_BUFFER(info), &map);
    return GST_PAD_PROBE_OK;
  }

  GstPad *pad_;
  gulong probe_;
  std::atomic<float> peak_ = 0;
};

// Two speakers that are too loud together, with the limiter and without, changed while it plays.
void test_limiter () {
  GatewayProcess gateway;
  Pipeline speaking("audiotestsrc is-live=true volume=0.9 freq=440 ! agorasink name=one" +
                    in_room(gateway, "uid=7") +
                    "audiotestsrc is-live=true volume=0.9 freq=610 ! agorasink name=two" +
                    in_room(gateway, "uid=8"));
  Pipeline listening("agorasrc name=listener limiter=false level-interval=50000000" +
                     in_room(gateway) +
                     "! audio/x-raw,format=F32LE,rate=48000 ! fakesink name=end sync=true");
  g_autoptr(GstElement) listener = listening.get("listener");
  Peak peak(listening, "end");
  speaking.set_state(GST_STATE_PLAYING);
  listening.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(peak.take() > 1.5f);
  g_object_set(listener, "limiter", TRUE, nullptr);
  WAIT_UNTIL((let_pass(100), peak.take() <= 1.0f));
  let_pass(500);
  const float limited = peak.take();
  g_assert_cmpfloat(limited, <=, 1.0f);
  g_assert_cmpfloat(limited, >, 0.5f);
  g_object_set(listener, "limiter", FALSE, nullptr);
  WAIT_UNTIL(peak.take() > 1.5f);
}

// The elements inside of `bin`.
std::set<GstElement *> parts (GstElement *bin) {
  std::set<GstElement *> found;
  GstIterator *all = gst_bin_iterate_recurse(GST_BIN(bin));
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(all, &item) == GST_ITERATOR_OK) {
    found.insert(GST_ELEMENT(g_value_get_object(&item)));
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(all);
  return found;
}

// As `gst-launch-1.0 -e` does: mix and pads end, and the sessions stay as they were.
void test_eos () {
  GatewayProcess gateway;
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7"));
  speaking.set_state(GST_STATE_PLAYING);
  Pipeline listening("agorasrc name=listener expose-speakers=true level-interval=50000000" +
                     in_room(gateway) +
                     "! fakesink sync=true name=mix  fakesink name=alone async=false sync=true");
  g_autoptr(GstElement) listener = listening.get("listener");
  g_autoptr(GstElement) alone = listening.get("alone");
  g_signal_connect_object(listener, "pad-added",
                          G_CALLBACK(+[] (GstElement *, GstPad *pad, GstElement *sink) {
                            g_autoptr(GstPad) to = gst_element_get_static_pad(sink, "sink");
                            gst_pad_link(pad, to);
                          }),
                          alone, static_cast<GConnectFlags>(0));
  listening.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(listening.heard(7));
  g_autoptr(GstPad) pad = gst_element_get_static_pad(alone, "sink");
  WAIT_UNTIL(gst_pad_is_linked(pad));
  g_autoptr(GstElement) pipeline = GST_ELEMENT(gst_object_get_parent(GST_OBJECT(listener)));
  g_assert_cmpfloat(metric(gateway, kPlays), ==, 1);

  g_assert_true(gst_element_send_event(pipeline, gst_event_new_eos()));
  WAIT_UNTIL((listening.read(), listening.ended()));
  // Twice what a session needs that comes anew.
  let_pass(2000);
  listening.read();
  g_assert_cmpuint(listening.told("agora-reconnecting"), ==, 0);
  g_assert_cmpfloat(metric(gateway, kPlays), ==, 1);
}

// A start and a stop again, while the application keeps a handler of the element's signal waiting.
class HeldUp {
 public:
  explicit HeldUp(GstElement *listener) {
    handler_ = g_signal_connect(listener, "stream-added", G_CALLBACK(on_added), this);
  }
  bool waits () const { return waits_; }
  void go_on () { gate_.set_value(); }
  bool over () const { return over_; }

 private:
  static void on_added (GstElement *, guint, HeldUp *self) {
    self->waits_ = true;
    self->gate_.get_future().wait();
    self->over_ = true;
  }
  gulong handler_ = 0;
  std::atomic<bool> waits_ = false, over_ = false;
  std::promise<void> gate_;
};

// What a stop leaves behind for such a handler goes when that returns. It holds the element's pad.
void test_held_up () {
  GatewayProcess gateway;
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7"));
  speaking.set_state(GST_STATE_PLAYING);
  Pipeline listening("agorasrc name=listener" + in_room(gateway) + "! fakesink sync=true");
  g_autoptr(GstElement) listener = listening.get("listener");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(listener, "src");
  const auto references = [&pad = pad] () -> int {
    return static_cast<int>(g_atomic_int_get(&G_OBJECT(pad)->ref_count));
  };
  const int before = references();
  for (int i = 0; i < 3; i++) {
    HeldUp held(listener);
    listening.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(held.waits());
    listening.set_state(GST_STATE_NULL);
    g_assert_cmpint(references(), >, before);
    held.go_on();
    WAIT_UNTIL(held.over());
    g_signal_handlers_disconnect_by_data(listener, &held);
    WAIT_UNTIL(references() == before);
  }
}

// Stopped by its own handler, which goes on afterwards: nothing of the start goes on with it.
void test_stop_in_a_handler (gconstpointer signal) {
  GatewayProcess gateway;
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7"));
  speaking.set_state(GST_STATE_PLAYING);
  Pipeline listening("agorasrc name=listener expose-speakers=true" + in_room(gateway) +
                     "! fakesink sync=true");
  g_autoptr(GstElement) listener = listening.get("listener");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(listener, "src");
  const auto references = [&pad = pad] () -> int {
    return static_cast<int>(g_atomic_int_get(&G_OBJECT(pad)->ref_count));
  };
  const int before = references();
  const std::set<GstElement *> inside = parts(listener);
  struct Stop {
    GstElement *element;
    std::atomic<bool> over = false;
  } stop{listener};
  g_signal_connect_swapped(listener, static_cast<const char *>(signal),
                           G_CALLBACK(+[] (Stop *self) {
                             gst_element_set_locked_state(self->element, TRUE);
                             gst_element_set_state(self->element, GST_STATE_NULL);
                             self->over = true;
                           }),
                           &stop);
  listening.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(stop.over.load());
  WAIT_UNTIL(references() == before);
  g_assert_true(parts(listener) == inside);
  g_signal_handlers_disconnect_by_data(listener, &stop);
}

// A GstBin that is on its way to READY forgets which pads are being linked, and may find a loop in
// what it sees half done: so a sink that is stopped links nothing any more once its parts are.
void test_stop_while_linking () {
  GatewayProcess gateway;
  Pipeline speaking("audiotestsrc is-live=true ! agorasink name=host" + in_room(gateway, "uid=7"));
  g_autoptr(GstElement) host = speaking.get("host");
  struct Linking {
    // That what comes in goes to, which is there from the beginning.
    std::set<GstElement *> ends;
    std::promise<void> stops = {};
    std::atomic<bool> begun = false, was_stopped = false, over = false;
    static void on_added (GstElement *, GstElement *part, Linking *self) noexcept {
      g_autoptr(GstPad) pad = gst_element_get_static_pad(part, "sink");
      if (pad)
        g_signal_connect_swapped(pad, "linked", G_CALLBACK(on_linked), self);
    }
    static void on_linked (Linking *self) noexcept {
      if (self->begun.exchange(true))
        return;
      self->stops.get_future().wait();
      // Time for a stop that doesn't wait.
      let_pass(50);
      self->was_stopped = std::any_of(self->ends.begin(), self->ends.end(), [] (GstElement *part) {
        return GST_STATE_TARGET(part) <= GST_STATE_READY;
      });
      self->over = true;
    }
  } linking{parts(host)};
  g_assert_false(linking.ends.empty());
  g_signal_connect(host, "element-added", G_CALLBACK(Linking::on_added), &linking);
  speaking.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(linking.begun.load());
  linking.stops.set_value();
  speaking.set_state(GST_STATE_READY);
  g_assert_true(linking.over);
  g_assert_false(linking.was_stopped);
  g_signal_handlers_disconnect_by_data(host, &linking);
}

// As whoever looks at an element does.
void look_at (GstElement *element) {
  guint count = 0;
  g_autofree GParamSpec **all = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; i++) {
    if (!(all[i]->flags & G_PARAM_READABLE))
      continue;
    GValue value = G_VALUE_INIT;
    g_object_get_property(G_OBJECT(element), all[i]->name, &value);
    g_value_unset(&value);
  }
  g_autoptr(GstQuery) latency = gst_query_new_latency();
  gst_element_query(element, latency);
  gst_element_query_duration(element, GST_FORMAT_TIME, nullptr);
  gst_element_send_event(element, gst_event_new_reconfigure());
  gst_element_send_event(element, gst_event_new_eos());
}

// An element that is disposed of has no pads and no parts any more, and may be disposed of again.
void test_dispose_twice (gconstpointer name) {
  g_autoptr(GstElement) element = GST_ELEMENT(
      gst_object_ref_sink(gst_element_factory_make(static_cast<const char *>(name), nullptr)));
  g_object_set(element, "channel", "room", nullptr);
  for (int i = 0; i < 3; i++) {
    g_object_run_dispose(G_OBJECT(element));
    g_assert_cmpuint(element->numpads, ==, 0);
    g_assert_true(parts(element).empty());
    // Takes the memory of what has gone.
    std::vector<GstPad *> others(100);
    for (GstPad *&other : others)
      other = GST_PAD(gst_object_ref_sink(gst_pad_new(nullptr, GST_PAD_SRC)));
    look_at(element);
    for (GstPad *other : others)
      gst_object_unref(other);
  }
}

// Plays `part` between elements of another pipeline, wherever it has pads that nobody has linked.
void play_alone (GstElement *part) {
  g_autoptr(GstElement) pipeline = GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new("of-another")));
  GstElement *source = gst_element_factory_make("audiotestsrc", nullptr);
  GstElement *sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(source, "num-buffers", 5, nullptr);
  g_object_set(sink, "num-buffers", 5, "sync", TRUE, nullptr);
  gst_bin_add_many(GST_BIN(pipeline), part, sink, nullptr);
  if (part->numsinkpads > 0) {
    gst_bin_add(GST_BIN(pipeline), source);
    g_assert_true(gst_element_link(source, part));
  } else {
    gst_object_unref(gst_object_ref_sink(source));
  }
  g_assert_true(gst_element_link(part, sink));
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  g_autoptr(GstMessage) end = gst_bus_timed_pop_filtered(
      bus, 5 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  g_assert_nonnull(end);
  g_assert_cmpint(GST_MESSAGE_TYPE(end), ==, GST_MESSAGE_EOS);
  gst_element_set_state(pipeline, GST_STATE_NULL);
}

// Whoever still holds a part of an agorasrc that is gone finds it alone, and harmless.
void test_parts_outlive_it () {
  g_autoptr(GstElement) listener =
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("agorasrc", nullptr)));
  g_autoptr(GObject) speaker =
      gst_child_proxy_get_child_by_name(GST_CHILD_PROXY(listener), "speaker-8");
  const std::set<GstElement *> inside = parts(listener);
  g_assert_cmpuint(inside.size(), ==, 2);
  for (GstElement *part : inside)
    gst_object_ref(part);
  g_assert_true(GST_OBJECT_PARENT(speaker) == GST_OBJECT(listener));
  // Twice, as it is allowed to be.
  g_object_run_dispose(G_OBJECT(listener));
  g_assert_null(GST_OBJECT_PARENT(speaker));
  g_assert_null(gst_child_proxy_get_child_by_name(GST_CHILD_PROXY(listener), "speaker-8"));
  g_object_run_dispose(G_OBJECT(listener));
  g_clear_object(&listener);
  g_object_set(speaker, "volume", 0.5, nullptr);
  double volume = 0;
  g_object_get(speaker, "volume", &volume, nullptr);
  g_assert_cmpfloat(volume, ==, 0.5);
  for (GstElement *part : inside) {
    play_alone(part);
    gst_object_unref(part);
  }
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/manners/uri", test_uri);
  g_test_add_func("/manners/described-bin", test_described_bin);
  g_test_add_func("/manners/time-limits", test_time_limits);
  g_test_add_func("/manners/for-ever", test_for_ever);
  g_test_add_func("/manners/limiter", test_limiter);
  g_test_add_func("/manners/eos", test_eos);
  g_test_add_func("/manners/held-up", test_held_up);
  g_test_add_data_func("/manners/stop-in/stream-added", "stream-added", test_stop_in_a_handler);
  g_test_add_data_func("/manners/stop-in/child-added", "child-added", test_stop_in_a_handler);
  g_test_add_data_func("/manners/stop-in/pad-added", "pad-added", test_stop_in_a_handler);
  g_test_add_func("/manners/stop-while-linking", test_stop_while_linking);
  for (const char *name : {"agorasink", "agorasrc"})
    g_test_add_data_func((std::string("/manners/dispose-twice/") + name).c_str(), name,
                         test_dispose_twice);
  g_test_add_func("/manners/parts-outlive-it", test_parts_outlive_it);
  return g_test_run();
}
