// SPDX-License-Identifier: LGPL-2.1-or-later
// Several agorasrc of one membership: each hears every speaker that it wants, whichever of them
// start and stop, over one RTMP session a speaker.
#include <algorithm>
#include <atomic>
#include <string>

#include "tests/element/src/ear.hpp"

namespace {

using namespace agora::test;

constexpr double low = 400, high = 1000, sent = 0.1;
constexpr const char *plays = "agora_hooks_total{call=\"play\",answer=\"allow\"}";

std::string speaker (const GatewayProcess &gateway, const char *name, const char *settings,
                     double hertz) {
  return std::string("audiotestsrc is-live=true samplesperbuffer=480 volume=0.1 freq=") +
         std::to_string(hertz) + " ! agorasink name=" + name + in_room(gateway, settings) + " ";
}

std::string listener (const GatewayProcess &gateway, const std::string &name,
                      const std::string &settings = "") {
  return "agorasrc name=" + name + in_room(gateway, settings) + " !" + Ear::kHeard +
         "! fakesink sync=true name=" + name + "-end ";
}

bool hears (const Ear &ear, double hertz) {
  return ear.tone(hertz, 0) > sent / 2;
}

// The softest that this tone was in any tenth of a second from running time `from` on.
double softest (const Ear &ear, double hertz, double from) {
  double least = 1;
  for (double at = from; at + 0.1 < ear.until(); at += 0.05)
    least = std::min(least, ear.tone(hertz, 0, 100, at));
  return least;
}

void run (Pipeline &pipeline, const std::string &name, bool on) {
  const GstState state = on ? GST_STATE_PLAYING : GST_STATE_NULL;
  pipeline.set_state((on ? name + "-end" : name).c_str(), state);
  pipeline.set_state((on ? name : name + "-end").c_str(), state);
}

struct Speakers {
  explicit Speakers(const GatewayProcess &gateway)
      : pipeline(speaker(gateway, "low", "uid=7", low) + speaker(gateway, "high", "uid=9", high)) {
    pipeline.set_state(GST_STATE_PLAYING);
    WAIT_UNTIL(metric(gateway, "agora_streams") == 2);
  }
  Pipeline pipeline;
};

// Two mixes and one that wants one speaker alone.
void test_three () {
  GatewayProcess gateway;
  Speakers speakers(gateway);
  Pipeline three(listener(gateway, "one") + listener(gateway, "two") +
                 listener(gateway, "three", "speakers=9"));
  Ear one(three, "one-end"), two(three, "two-end"), third(three, "three-end");
  three.set_state(GST_STATE_PLAYING);
  for (const Ear *ear : {&one, &two})
    WAIT_UNTIL(hears(*ear, low) && hears(*ear, high));
  WAIT_UNTIL(hears(third, high));
  g_assert_cmpfloat(third.tone(low, 0), <, sent / 20);
  g_assert_cmpuint(three.warnings(), ==, 0);
  // Two who speak, and one who listens.
  g_assert_cmpfloat(metric(gateway, "agora_members{state=\"connected\"}"), ==, 3);
  // The gateway hears of a session from its media server.
  WAIT_UNTIL(metric(gateway, plays) == 2);

  // One stops: what the others hear has no hole. At the beginning playing may still jump to its
  // place.
  let_pass(1000);
  double from = two.until();
  run(three, "one", false);
  let_pass(1000);
  g_assert_cmpfloat(softest(two, low, from), >, sent / 2);
  g_assert_cmpfloat(softest(two, high, from), >, sent / 2);
  g_assert_cmpfloat(softest(third, high, from), >, sent / 2);

  // The last that wants a speaker stops: only its session ends. It starts again beside the others.
  from = third.until();
  run(three, "two", false);
  let_pass(1000);
  g_assert_cmpfloat(softest(third, high, from), >, sent / 2);
  WAIT_UNTIL(metric(gateway, plays) == 2);
  run(three, "two", true);
  WAIT_UNTIL(hears(two, low) && hears(two, high));
  run(three, "one", true);
  WAIT_UNTIL(hears(one, low) && hears(one, high));
  g_assert_cmpfloat(softest(third, high, from), >, sent / 2);
  WAIT_UNTIL(metric(gateway, plays) == 3);
  g_assert_cmpuint(three.told("agora-reconnecting"), ==, 0);
  g_assert_cmpuint(three.warnings(), ==, 0);
}

struct Track {
  std::atomic<unsigned> frames = 0, odd = 0, ends = 0;
};

GstPadProbeReturn count_frames (GstPad *, GstPadProbeInfo *info, gpointer data) {
  auto *track = static_cast<Track *>(data);
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    track->frames++;
    const GstClockTime duration = GST_BUFFER_DURATION(GST_PAD_PROBE_INFO_BUFFER(info));
    track->odd += duration != gst_util_uint64_scale_int(1024, GST_SECOND, 44100);
  } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
    track->ends++;
  }
  return GST_PAD_PROBE_OK;
}

void take_track (GstElement *element, GstPad *pad, Track *track) {
  g_autoptr(GstObject) pipeline = gst_object_get_parent(GST_OBJECT(element));
  GstElement *sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(sink, "async", FALSE, nullptr);
  gst_bin_add(GST_BIN(pipeline), sink);
  g_autoptr(GstPad) peer = gst_element_get_static_pad(sink, "sink");
  gst_pad_add_probe(
      peer,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      count_frames, track, nullptr);
  g_assert_cmpint(gst_pad_link(pad, peer), ==, GST_PAD_LINK_OK);
  gst_element_sync_state_with_parent(sink);
}

// A mix, and a track from an element that comes later, over the same session.
void test_mix_and_tracks () {
  GatewayProcess gateway;
  Speakers speakers(gateway);
  Pipeline both(listener(gateway, "all") + "agorasrc name=tracks expose-speakers=true speakers=9 " +
                in_room(gateway));
  Ear mix(both, "all-end");
  Track track;
  g_autoptr(GstElement) tracks = both.get("tracks");
  gst_element_set_locked_state(tracks, TRUE);
  g_signal_connect(tracks, "pad-added",
                   G_CALLBACK(+[] (GstElement *element, GstPad *pad, Track *to) {
                     if (g_strcmp0(GST_PAD_NAME(pad), "speaker_9") == 0)
                       take_track(element, pad, to);
                   }),
                   &track);
  both.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(hears(mix, low) && hears(mix, high));
  // At the beginning playing may still jump to its place.
  let_pass(1000);
  const double from = mix.until();
  gst_element_set_locked_state(tracks, FALSE);
  g_assert_true(gst_element_sync_state_with_parent(tracks));
  WAIT_UNTIL(track.frames > 50);
  // What audiotestsrc gives first is 44.1 kHz.
  g_assert_cmpuint(track.odd, ==, 0);
  WAIT_UNTIL(metric(gateway, plays) == 2);

  // The speaker goes on in the mix when the tracks end, and the other way round.
  both.set_state("tracks", GST_STATE_NULL);
  let_pass(500);
  g_assert_cmpfloat(softest(mix, low, from), >, sent / 2);
  g_assert_cmpfloat(softest(mix, high, from), >, sent / 2);
  both.set_state("tracks", GST_STATE_PLAYING);
  const unsigned before = track.frames;
  WAIT_UNTIL(track.frames > before + 20);
  run(both, "all", false);
  const unsigned alone = track.frames;
  WAIT_UNTIL(track.frames > alone + 20);
  WAIT_UNTIL(metric(gateway, plays) == 2);
  speakers.pipeline.set_state(GST_STATE_NULL);
  WAIT_UNTIL(track.ends > 0);
}

// An EOS from the application ends what this element hears, quietly; the other one hears on.
void test_eos () {
  GatewayProcess gateway;
  Speakers speakers(gateway);
  Pipeline two(listener(gateway, "one") + listener(gateway, "two"));
  Ear one(two, "one-end"), other(two, "two-end");
  two.set_state(GST_STATE_PLAYING);
  for (const Ear *ear : {&one, &other})
    WAIT_UNTIL(hears(*ear, low) && hears(*ear, high));
  let_pass(1000);
  const double from = other.until();
  g_autoptr(GstElement) ended = two.get("one");
  g_assert_true(gst_element_send_event(ended, gst_event_new_eos()));
  let_pass(1000);
  g_assert_cmpfloat(softest(other, low, from), >, sent / 2);
  g_autoptr(GstElement) last = two.get("two");
  g_assert_true(gst_element_send_event(last, gst_event_new_eos()));
  WAIT_UNTIL((two.read(), two.ended()));
  // Long enough for sessions to be made again.
  let_pass(2000);
  WAIT_UNTIL(metric(gateway, plays) == 2);
  g_assert_cmpuint(two.told("agora-reconnecting"), ==, 0);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/sharing/three", test_three);
  g_test_add_func("/sharing/mix-and-tracks", test_mix_and_tracks);
  g_test_add_func("/sharing/eos", test_eos);
  return g_test_run();
}
