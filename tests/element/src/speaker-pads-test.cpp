// SPDX-License-Identifier: LGPL-2.1-or-later
// The pads of single speakers: when they come and go, and that what they give lies side by side.
#include <signal.h>

#include <algorithm>
#include <cmath>

#include "tests/element/src/ear.hpp"

namespace {

using namespace agora::test;

// Takes whatever pads agorasrc adds, and notes what comes out of them.
class Taker {
 public:
  explicit Taker(Pipeline &pipeline) : listener_(pipeline.get("listener")) {
    g_signal_connect(listener_, "pad-added", G_CALLBACK(added), this);
    g_signal_connect(listener_, "pad-removed", G_CALLBACK(removed), this);
  }
  ~Taker() {
    g_signal_handlers_disconnect_by_data(listener_, this);
    gst_object_unref(listener_);
  }
  Taker(const Taker &) = delete;
  Taker &operator=(const Taker &) = delete;

  struct Counts {
    int pads = 0, gone = 0, frames = 0, gaps = 0, ends = 0;
    // Running time that was told twice, or not at all, beyond what a correction may.
    int holes = 0;
    GstClockTime until = GST_CLOCK_TIME_NONE;
  };

  Counts counts () const {
    std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  static void added (GstElement *, GstPad *pad, Taker *self) {
    if (!g_str_has_prefix(GST_PAD_NAME(pad), "speaker_"))
      return;
    g_assert_cmpstr(GST_PAD_NAME(pad), ==, "speaker_21");
    {
      std::lock_guard lock(self->mutex_);
      self->counts_.pads++;
      self->counts_.until = GST_CLOCK_TIME_NONE;
    }
    gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        [] (GstPad *, GstPadProbeInfo *info, gpointer data) {
          static_cast<Taker *>(data)->take(info);
          return GST_PAD_PROBE_OK;
        },
        self, nullptr);
    GstElement *sink = gst_element_factory_make("fakesink", nullptr);
    g_object_set(sink, "async", FALSE, nullptr);
    g_autoptr(GstObject) pipeline = gst_object_get_parent(GST_OBJECT(self->listener_));
    gst_bin_add(GST_BIN(pipeline), sink);
    g_autoptr(GstPad) peer = gst_element_get_static_pad(sink, "sink");
    g_assert_cmpint(gst_pad_link(pad, peer), ==, GST_PAD_LINK_OK);
    gst_element_sync_state_with_parent(sink);
  }

  static void removed (GstElement *, GstPad *pad, Taker *self) {
    std::lock_guard lock(self->mutex_);
    self->counts_.gone += g_str_has_prefix(GST_PAD_NAME(pad), "speaker_");
  }

  void take (GstPadProbeInfo *info) {
    std::lock_guard lock(mutex_);
    GstClockTime at = GST_CLOCK_TIME_NONE, duration = 0;
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
      counts_.frames++;
      at = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
      duration = GST_BUFFER_DURATION(GST_PAD_PROBE_INFO_BUFFER(info));
    } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_GAP) {
      counts_.gaps++;
      gst_event_parse_gap(GST_PAD_PROBE_INFO_EVENT(info), &at, &duration);
    } else {
      counts_.ends += GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS;
    }
    if (!GST_CLOCK_TIME_IS_VALID(at))
      return;
    if (GST_CLOCK_TIME_IS_VALID(counts_.until) && at + GST_MSECOND < counts_.until)
      counts_.holes++;
    counts_.until = at + duration;
  }

  GstElement *listener_;
  mutable std::mutex mutex_;  // guards the counts
  Counts counts_;
};

class Room {
 public:
  explicit Room(const std::string &properties, const std::string &more = "")
      : speaker("audiotestsrc is-live=true ! agorasink" + in_room(gateway, "uid=21")),
        pipeline("agorasrc name=listener expose-speakers=true " + in_room(gateway, properties) +
                 more),
        taker(pipeline) {
    pipeline.set_state(GST_STATE_PLAYING);
    speaker.set_state(GST_STATE_PLAYING);
    wait_for_frames();
  }

  void wait_for_frames () {
    const int frames = taker.counts().frames;
    wait_until(
        [&] {
          pipeline.read();
          return taker.counts().frames > frames + 20;
        },
        "frames at the speaker's pad");
  }

  GatewayProcess gateway;
  Pipeline speaker;
  Pipeline pipeline;
  Taker taker;
};

// Sound that is away for a while leaves the pad where it is.
void test_kept () {
  Room room("speaker-timeout=20");
  const Taker::Counts before = room.taker.counts();
  room.gateway.signal_relay(SIGSTOP);
  WAIT_UNTIL(room.taker.counts().gaps > before.gaps + 4);
  room.gateway.signal_relay(SIGCONT);
  room.wait_for_frames();
  const Taker::Counts after = room.taker.counts();
  g_assert_cmpint(after.pads, ==, 1);
  g_assert_cmpint(after.gone, ==, 0);
  g_assert_cmpint(after.ends, ==, 0);
  g_assert_cmpint(after.holes, ==, 0);
}

// A file in the same pipeline is seeked back, and running time begins anew: pads and levels go on.
void test_begins_anew () {
  Room room("level-interval=100000000",
            " ! fakesink sync=true audiotestsrc volume=0 ! fakesink name=file sync=true");
  WAIT_UNTIL(room.taker.counts().until > 3 * GST_SECOND);
  g_autoptr(GstElement) file = room.pipeline.get("file");
  g_assert_true(gst_element_seek_simple(file, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
  // A busy machine takes a while to seek.
  WAIT_UNTIL(room.taker.counts().until < 3 * GST_SECOND);
  room.wait_for_frames();
  g_assert_cmpuint(room.taker.counts().until, <, 3 * GST_SECOND);
  const unsigned levels = room.pipeline.told("agora-level");
  WAIT_UNTIL(room.pipeline.told("agora-level") > levels + 5);
  g_assert_cmpuint(room.taker.counts().until, <, 3 * GST_SECOND);
  g_assert_cmpint(room.taker.counts().pads, ==, 1);
}

// Away for too long: the pad ends and goes; with the sound comes another of its name.
void test_timeout () {
  Room room("speaker-timeout=1");
  room.gateway.signal_relay(SIGSTOP);
  WAIT_UNTIL(room.taker.counts().gone == 1);
  g_assert_cmpint(room.taker.counts().ends, ==, 1);
  g_assert_cmpint(room.taker.counts().pads, ==, 1);
  room.gateway.signal_relay(SIGCONT);
  WAIT_UNTIL(room.taker.counts().pads == 2);
  room.wait_for_frames();
  g_assert_cmpint(room.taker.counts().ends, ==, 1);
  g_assert_cmpint(room.taker.counts().gone, ==, 1);
}

// Who stops ends at once, and may come again; so who is no longer listened to.
void test_stop () {
  Room room("speaker-timeout=600");
  int pads = 1;
  const auto over_and_again = [&] (const std::function<void()> &stop,
                                   const std::function<void()> &start) {
    stop();
    WAIT_UNTIL(room.taker.counts().gone == pads);
    g_assert_cmpint(room.taker.counts().ends, ==, pads);
    g_assert_cmpint(room.taker.counts().pads, ==, pads);
    start();
    WAIT_UNTIL(room.taker.counts().pads == pads + 1);
    room.wait_for_frames();
    pads++;
  };
  for (int time = 0; time < 2; time++)
    over_and_again([&] { room.speaker.set_state(GST_STATE_NULL); },
                   [&] { room.speaker.set_state(GST_STATE_PLAYING); });
  g_autoptr(GstElement) listener = room.pipeline.get("listener");
  over_and_again([&] { g_object_set(listener, "speakers", "99", nullptr); },
                 [&] { g_object_set(listener, "speakers", "", nullptr); });
  g_assert_cmpint(room.taker.counts().holes, ==, 0);
}

// A burst of sound each second from two speakers, the other one's a known while later: so it is at
// their pads, and in the mix.
void test_in_sync () {
  GatewayProcess gateway;
  const auto speaker = [&] (const char *name, const char *uid, const char *more) {
    return std::string("audiotestsrc is-live=true wave=ticks freq=1000 samplesperbuffer=480 ") +
           more + " !" + Ear::kHeard + "! identity name=" + name + " ! agorasink" +
           in_room(gateway, uid);
  };
  const auto taken = [] (const char *from, const char *name) {
    return std::string(" listener.") + from + " ! decodebin ! audioconvert ! audioresample !" +
           Ear::kHeard + "! fakesink async=false sync=false name=" + name;
  };
  Pipeline speakers(speaker("mouth21", "uid=21", "") +
                    speaker("mouth22", "uid=22", "timestamp-offset=310000000"));
  Pipeline pipeline("agorasrc name=listener expose-speakers=true " + in_room(gateway) +
                    " listener.src !" + Ear::kHeard + "! fakesink name=mix sync=true" +
                    taken("speaker_21", "pad21") + taken("speaker_22", "pad22"));
  Ear mouths[] = {{speakers, "mouth21"}, {speakers, "mouth22"}};
  Ear pads[] = {{pipeline, "pad21"}, {pipeline, "pad22"}};
  Ear mix(pipeline, "mix");
  speakers.set_state(GST_STATE_PLAYING);
  pipeline.set_state(GST_STATE_PLAYING);
  WAIT_UNTIL(pads[0].bursts().size() > 4 && pads[1].bursts().size() > 4 && mix.bursts().size() > 8);

  // The first guess of where sound belongs is corrected within its first seconds.
  const auto age = [&] (int i, double &in_mix) {
    // The mix doesn't have the last one yet.
    const std::vector<double> came = pads[i].bursts();
    const double heard = came[came.size() - 2];
    const auto near = [heard] (double a, double b) {
      return std::fabs(a - heard) < std::fabs(b - heard);
    };
    std::vector<double> all = mix.bursts();
    in_mix = *std::min_element(all.begin(), all.end(), near) - heard;
    all = mouths[i].bursts();
    double last = -1;
    for (const double said : all)
      if (said < heard)
        last = said;
    return heard - last;
  };
  double in_mix[2];
  const double ages[] = {age(0, in_mix[0]), age(1, in_mix[1])};
  g_test_message("from mouth to pad %.1f and %.1f ms, to the mix %+.1f and %+.1f ms more",
                 1e3 * ages[0], 1e3 * ages[1], 1e3 * in_mix[0], 1e3 * in_mix[1]);
  g_assert_cmpfloat(std::fabs(ages[0] - ages[1]), <, 0.005);
  // A pad moves to its place within a few frames, the mix by playing faster or slower.
  for (const double more : in_mix)
    g_assert_cmpfloat(std::fabs(more), <, 0.02);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/exposed/kept", test_kept);
  g_test_add_func("/exposed/begins-anew", test_begins_anew);
  g_test_add_func("/exposed/timeout", test_timeout);
  g_test_add_func("/exposed/stop", test_stop);
  // A sanitised program is late by itself.
  if (time_scale() == 1)
    g_test_add_func("/exposed/in-sync", test_in_sync);
  return g_test_run();
}
