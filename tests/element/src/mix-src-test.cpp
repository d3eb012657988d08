// SPDX-License-Identifier: LGPL-2.1-or-later
// The live end of agorasrc, alone, on a clock that the test moves: what it stamps, when it gives it
// out, and what it answers.
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gst/gst.h>

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "gst/common/gst-ptr.hpp"
#include "gst/src/mix-src.hpp"

namespace {

using agora::kMixBlock;
using agora::kMixLatency;
using agora::ObjectPtr;

constexpr GstClockTime kBegin = 1000 * GST_SECOND;  // of the clock, at running time 0

GstElement *make (std::shared_ptr<agora::Mixer> mixer) {
  auto nothing = [] (GstClockTime) {};
  return agora::make_mix_src(std::move(mixer), {[] (GstClockTime, bool) {}, nothing, nothing});
}

class Rig {
 public:
  Rig() : element(GST_ELEMENT(gst_object_ref_sink(make(mixer)))) {
    harness = gst_harness_new_with_element(element, nullptr, "src");
    gst_harness_set_sink_caps_str(
        harness, "audio/x-raw,format=" GST_AUDIO_NE(F32) ",layout=interleaved,rate=48000,"
                                                         "channels=2");
    gst_harness_use_testclock(harness);
    gst_harness_set_time(harness, kBegin);
    gst_element_set_base_time(element, kBegin);
    gst_harness_play(harness);
  }
  ~Rig() {
    gst_harness_teardown(harness);
    gst_object_unref(element);
  }
  Rig(const Rig &) = delete;
  Rig &operator=(const Rig &) = delete;

  // The next block, once the clock is where it is waited for.
  GstBuffer *pull () {
    g_assert_true(gst_harness_crank_single_clock_wait(harness));
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_nonnull(buffer);
    return buffer;
  }
  void skip (int blocks) {
    for (int i = 0; i < blocks; i++)
      gst_buffer_unref(pull());
  }
  GstClockTime now () const {
    ObjectPtr<GstTestClock> clock(gst_harness_get_testclock(harness));
    return gst_clock_get_time(GST_CLOCK(clock.get()));
  }
  // When the block that is made next will be given out.
  GstClockTime waits_for () const {
    ObjectPtr<GstTestClock> clock(gst_harness_get_testclock(harness));
    GstClockID id = nullptr;
    gst_test_clock_wait_for_next_pending_id(clock.get(), &id);
    const GstClockTime time = gst_clock_id_get_time(id);
    gst_clock_id_unref(id);
    return time;
  }

  const std::shared_ptr<agora::Mixer> mixer = std::make_shared<agora::Mixer>();
  GstElement *element;
  GstHarness *harness;
};

// Blocks are as long as the sound waits, and each begins where the last one ended; each is given
// out as long after its beginning. Nobody says here that half of one may come later.
void test_pace () {
  Rig rig;
  gst_harness_push_upstream_event(rig.harness, gst_event_new_latency(25 * GST_MSECOND));
  rig.skip(2);
  GstClockTime next = 2 * kMixBlock;
  for (const auto &[delay, length] : {std::pair(60 * GST_MSECOND, 2 * kMixBlock),
                                      {20 * GST_MSECOND, kMixBlock},
                                      {GstClockTime(0), kMixBlock}}) {
    rig.mixer->set_delay(static_cast<std::int64_t>(delay));
    for (int block = 0; block < 6; block++) {
      GstBuffer *buffer = rig.pull();
      g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, next);
      next += GST_BUFFER_DURATION(buffer);
      // The one that was waited for is of the old length.
      if (block > 0) {
        g_assert_cmpuint(GST_BUFFER_DURATION(buffer), ==, length);
        g_assert_cmpuint(rig.now() - kBegin, ==, GST_BUFFER_PTS(buffer) + kMixBlock);
      }
      gst_buffer_unref(buffer);
    }
  }
}

// Where sound waits long, a sink that plays each block 25 ms after its stamp is the only one that
// waits: the next block is made once it lets go, 5 ms after its stamp.
class Played {
 public:
  explicit Played(Rig *rig) : rig_(rig) {}
  void play (GstBuffer *block) {
    ObjectPtr<GstTestClock> clock(gst_harness_get_testclock(rig_->harness));
    made_after_.push_back(gst_clock_get_time(GST_CLOCK(clock.get())) - kBegin -
                          GST_BUFFER_PTS(block));
    lengths_.push_back(GST_BUFFER_DURATION(block));
    if (made_after_.size() < kBlocks)
      gst_test_clock_set_time(clock.get(), kBegin + GST_BUFFER_PTS(block) + 25 * GST_MSECOND);
  }
  static GstPadProbeReturn on_block (GstPad *, GstPadProbeInfo *info, gpointer self) {
    static_cast<Played *>(self)->play(GST_PAD_PROBE_INFO_BUFFER(info));
    return GST_PAD_PROBE_OK;
  }

  static constexpr std::size_t kBlocks = 8;
  // The streaming thread's, until it waits again.
  std::vector<GstClockTime> made_after_, lengths_;

 private:
  Rig *const rig_;
};

void test_one_wait () {
  Rig rig;
  gst_harness_push_upstream_event(rig.harness, gst_event_new_latency(25 * GST_MSECOND));
  rig.mixer->set_delay(static_cast<std::int64_t>(60 * GST_MSECOND));
  rig.skip(2);
  Played played(&rig);
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(rig.element, "src"));
  const gulong probe =
      gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, Played::on_block, &played, nullptr);
  gst_buffer_unref(rig.pull());
  // It waits once the sink no longer does.
  rig.waits_for();
  gst_pad_remove_probe(pad.get(), probe);
  g_assert_cmpuint(played.made_after_.size(), ==, Played::kBlocks);
  for (std::size_t block = 1; block < Played::kBlocks; block++) {
    g_assert_cmpuint(played.lengths_[block], ==, 2 * kMixBlock);
    g_assert_cmpuint(played.made_after_[block], ==, kMixBlock / 2);
  }
}

// What a block lasts, in the end, in a line with sound that waits for nothing.
GstClockTime length_before (const char *rest) {
  auto mixer = std::make_shared<agora::Mixer>();
  mixer->set_delay(0);
  const ObjectPtr<GstElement> pipeline = agora::sink_ref(gst_pipeline_new(nullptr));
  GstElement *mix = make(std::move(mixer));
  g_autoptr(GError) error = nullptr;
  GstElement *bin = gst_parse_bin_from_description(rest, TRUE, &error);
  g_assert_no_error(error);
  gst_bin_add_many(GST_BIN(pipeline.get()), mix, bin, nullptr);
  g_assert_true(gst_element_link(mix, bin));
  // The first ones may be made before the latency is known.
  struct Seen {
    std::mutex mutex;
    std::condition_variable changed;
    int blocks = 0;
    GstClockTime length = 0;
  } seen;
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(mix, "src"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [] (GstPad *, GstPadProbeInfo *info, gpointer data) {
        auto *to = static_cast<Seen *>(data);
        std::lock_guard lock(to->mutex);
        to->blocks++;
        to->length = GST_BUFFER_DURATION(GST_PAD_PROBE_INFO_BUFFER(info));
        to->changed.notify_all();
        return GST_PAD_PROBE_OK;
      },
      &seen, nullptr);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  {
    std::unique_lock lock(seen.mutex);
    g_assert_true(
        seen.changed.wait_for(lock, std::chrono::seconds(10), [&] { return seen.blocks > 10; }));
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return seen.length;
}

// Half of one may come later where it goes straight to a sink that has time, and not where
// somebody in between counts on it.
void test_patience () {
  const struct {
    const char *rest;
    GstClockTime length;
  } cases[] = {
      {"fakesink sync=true", kMixBlock / 2},
      {"queue ! identity ! tee ! queue ! fakesink sync=true", kMixBlock / 2},
      {"fakesink sync=true processing-deadline=10000000", kMixBlock},
      {"fakesink sync=true processing-deadline=0", kMixBlock},
      {"fakesink sync=false", kMixBlock},
      {"tee name=t t. ! queue ! fakesink sync=true t. ! queue ! fakesink sync=true", kMixBlock},
      {"identity ! audiomixer ! fakesink sync=true", kMixBlock},
  };
  for (const auto &each : cases) {
    g_test_message("%s", each.rest);
    g_assert_cmpuint(length_before(each.rest), ==, each.length);
  }
}

// One block after the other, each given out when it is half over, or when it is over where the
// pipeline has time.
void test_live_edge () {
  Rig rig;
  for (guint64 block = 0; block < 50; block++) {
    if (block == 25)
      gst_harness_push_upstream_event(rig.harness, gst_event_new_latency(25 * GST_MSECOND));
    const GstClockTime pts = block * kMixBlock;
    GstBuffer *buffer = rig.pull();
    g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, pts);
    g_assert_cmpuint(GST_BUFFER_DURATION(buffer), ==, kMixBlock);
    g_assert_cmpuint(GST_BUFFER_OFFSET(buffer), ==, block * 480);
    g_assert_cmpuint(gst_buffer_get_size(buffer), ==, 480 * 2 * sizeof(float));
    g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP));
    g_assert_cmpint(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT), ==, block == 0);
    // The one that was waited for when the latency came was for the old one.
    if (block != 25)
      g_assert_cmpuint(rig.now() - kBegin, ==, pts + (block < 25 ? kMixLatency : kMixBlock));
    gst_buffer_unref(buffer);
  }
}

// A file that is mixed with it is seeked: the pipeline counts running time anew.
void test_begins_anew () {
  Rig rig;
  for (const GstClockTime back : {GstClockTime(10 * GST_SECOND), GstClockTime(200 * GST_MSECOND)}) {
    gst_element_set_base_time(rig.element, rig.now() - back);
    rig.skip(30);
    rig.waits_for();
    const GstClockTime skipped = agora::mix_src_skipped(rig.element);
    gst_element_set_base_time(rig.element, rig.now());
    // The one that was waited for.
    rig.skip(1);
    const GstClockTime from = rig.now() - gst_element_get_base_time(rig.element);
    g_assert_cmpuint(rig.waits_for(), <=, rig.now() + 2 * kMixBlock);
    for (GstClockTime block = 0; block < 30; block++) {
      GstBuffer *buffer = rig.pull();
      g_assert_cmpint(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT), ==, block == 0);
      const GstClockTime pts = from + block * kMixBlock;
      g_assert_cmpuint(GST_BUFFER_PTS(buffer) + GST_MSECOND, >, pts);
      g_assert_cmpuint(GST_BUFFER_PTS(buffer), <, pts + GST_MSECOND);
      gst_buffer_unref(buffer);
    }
    g_assert_cmpuint(agora::mix_src_skipped(rig.element), ==, skipped);
  }
}

// Held up for long, it leaves out what nobody can hear any more, and says how much.
void test_held_up () {
  Rig rig;
  rig.skip(10);
  rig.waits_for();
  gst_harness_set_time(rig.harness, rig.now() + 2 * GST_SECOND);
  rig.skip(1);
  GstBuffer *buffer = rig.pull();
  g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
  g_assert_cmpuint(GST_BUFFER_PTS(buffer), >=, 2 * GST_SECOND);
  g_assert_cmpuint(agora::mix_src_skipped(rig.element), >, 1900 * GST_MSECOND);
  g_assert_cmpuint(agora::mix_src_skipped(rig.element), <, 2100 * GST_MSECOND);
  gst_buffer_unref(buffer);
}

void test_answers () {
  Rig rig;
  rig.skip(20);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(rig.element, "src");

  g_autoptr(GstQuery) latency = gst_query_new_latency();
  g_assert_true(gst_pad_query(pad, latency));
  gboolean live = FALSE;
  GstClockTime least = 0, most = 0;
  gst_query_parse_latency(latency, &live, &least, &most);
  g_assert_true(live);
  g_assert_cmpuint(least, ==, kMixLatency);
  g_assert_cmpuint(most, ==, GST_CLOCK_TIME_NONE);

  gint64 position = 0;
  g_assert_true(gst_pad_query_position(pad, GST_FORMAT_TIME, &position));
  g_assert_cmpint(position, >=, 19 * GstClockTimeDiff(kMixBlock));
  g_assert_cmpint(position, <=, 20 * GstClockTimeDiff(kMixBlock));
  gint64 duration = 0;
  g_assert_true(!gst_pad_query_duration(pad, GST_FORMAT_TIME, &duration) || duration == -1);

  g_autoptr(GstQuery) seeking = gst_query_new_seeking(GST_FORMAT_TIME);
  gboolean seekable = TRUE;
  g_assert_true(gst_pad_query(pad, seeking));
  gst_query_parse_seeking(seeking, nullptr, &seekable, nullptr, nullptr);
  g_assert_false(seekable);
  const auto refused = [&] (double rate, GstFormat format, GstSeekFlags flags) {
    return !gst_pad_send_event(
        pad, gst_event_new_seek(rate, format, flags, GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, 0));
  };
  g_assert_true(refused(1, GST_FORMAT_TIME, GST_SEEK_FLAG_NONE));
  g_assert_true(refused(1, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH));
  g_assert_true(refused(-1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH));
  g_assert_true(refused(2, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH));
  // What a slow sink says changes nothing.
  gst_pad_send_event(pad, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2, GST_SECOND, GST_SECOND));
  rig.skip(20);
}

// What goes out of a pad: FLUSH_START, FLUSH_STOP and SEGMENT.
struct Sent {
  static GstPadProbeReturn note (GstPad *, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Sent *>(data);
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    const GstEventType type = GST_EVENT_TYPE(event);
    if (type != GST_EVENT_FLUSH_START && type != GST_EVENT_FLUSH_STOP && type != GST_EVENT_SEGMENT)
      return GST_PAD_PROBE_OK;
    std::lock_guard lock(self->mutex);
    self->events.emplace_back(gst_event_ref(event), gst_event_unref);
    return GST_PAD_PROBE_OK;
  }

  std::mutex mutex;  // guards the events
  std::vector<std::unique_ptr<GstEvent, decltype(&gst_event_unref)>> events;
};

// A seek that flushes does no more than that: it goes on live, once the pipeline has its new time.
void test_flushed () {
  Rig rig;
  rig.skip(100);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(rig.element, "src");
  Sent sent;
  const gulong probe =
      gst_pad_add_probe(pad,
                        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                                                     GST_PAD_PROBE_TYPE_EVENT_FLUSH),
                        Sent::note, &sent, nullptr);
  for (const gint64 to : {gint64(0), gint64(77 * GST_SECOND)}) {
    rig.waits_for();
    GstEvent *seek = gst_event_new_seek(1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET,
                                        to, GST_SEEK_TYPE_NONE, 0);
    const guint32 number = gst_event_get_seqnum(seek);
    g_assert_true(gst_pad_send_event(pad, seek));
    // Without any time passing.
    GstBuffer *buffer = gst_harness_pull(rig.harness);
    g_assert_nonnull(buffer);
    g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, 0);
    g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
    g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP));
    gst_buffer_unref(buffer);
    {
      std::lock_guard lock(sent.mutex);
      const GstEventType types[] = {GST_EVENT_FLUSH_START, GST_EVENT_FLUSH_STOP, GST_EVENT_SEGMENT};
      g_assert_cmpuint(sent.events.size(), ==, G_N_ELEMENTS(types));
      for (std::size_t i = 0; i < sent.events.size(); i++) {
        g_assert_cmpint(GST_EVENT_TYPE(sent.events[i].get()), ==, types[i]);
        g_assert_cmpuint(gst_event_get_seqnum(sent.events[i].get()), ==, number);
      }
      const GstSegment *segment = nullptr;
      gst_event_parse_segment(sent.events.back().get(), &segment);
      g_assert_cmpint(segment->format, ==, GST_FORMAT_TIME);
      g_assert_cmpuint(segment->start, ==, 0);
      g_assert_cmpuint(segment->base, ==, 0);
      g_assert_cmpuint(segment->stop, ==, GST_CLOCK_TIME_NONE);
      sent.events.clear();
    }
    // As a pipeline does, once its sinks have the first block.
    gst_harness_set_time(rig.harness, rig.now() + 30 * GST_MSECOND);
    const GstClockTime base = rig.now() - 20 * GST_MSECOND;
    gst_element_set_base_time(rig.element, base);
    for (int block = 0; block < 100; block++) {
      buffer = rig.pull();
      const GstClockTime pts = 20 * GST_MSECOND + block * kMixBlock;
      g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, pts);
      g_assert_cmpint(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT), ==, block == 0);
      gst_buffer_unref(buffer);
    }
  }
  gst_pad_remove_probe(pad, probe);
  // Where the time stays as it was it goes on too.
  rig.waits_for();
  const GstClockTime running = rig.now() - gst_element_get_base_time(rig.element);
  g_assert_true(gst_element_send_event(
      rig.element, gst_event_new_seek(1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
                                      GST_SEEK_TYPE_NONE, 0)));
  gst_buffer_unref(gst_harness_pull(rig.harness));
  GstBuffer *buffer = rig.pull();
  g_assert_cmpuint(GST_BUFFER_PTS(buffer), >=, running);
  g_assert_cmpuint(GST_BUFFER_PTS(buffer), <, running + 2 * kMixBlock);
  gst_buffer_unref(buffer);
}

// Messages of `type` within a second.
int count (GstBus *bus, GstMessageType type) {
  int found = 0;
  const gint64 end = g_get_monotonic_time() + G_TIME_SPAN_SECOND;
  while (g_get_monotonic_time() < end)
    if (GstMessage *message = gst_bus_timed_pop_filtered(bus, 50 * GST_MSECOND, type)) {
      found++;
      gst_message_unref(message);
    }
  return found;
}

struct Pipeline {
  explicit Pipeline(const char *launch) {
    pipeline = gst_parse_launch(launch, nullptr);
    g_assert_nonnull(pipeline);
    src = make(std::make_shared<agora::Mixer>());
    gst_bin_add(GST_BIN(pipeline), src);
    bus = gst_element_get_bus(pipeline);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(src, "src");
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [] (GstPad *, GstPadProbeInfo *info, gpointer self) {
          auto *pipeline = static_cast<Pipeline *>(self);
          std::lock_guard lock(pipeline->mutex);
          pipeline->pts = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
          pipeline->blocks++;
          pipeline->changed.notify_all();
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }
  ~Pipeline() {
    const gint64 begin = g_get_monotonic_time();
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, G_TIME_SPAN_SECOND / 2);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
  }
  ObjectPtr<GstElement> get (const char *name) const {
    return ObjectPtr<GstElement>(gst_bin_get_by_name(GST_BIN(pipeline), name));
  }
  void await (const std::function<bool()> &condition) {
    std::unique_lock lock(mutex);
    g_assert_true(changed.wait_for(lock, std::chrono::seconds(10), condition));
  }
  void await_blocks (unsigned more) {
    std::unique_lock lock(mutex);
    const unsigned until = blocks + more;
    lock.unlock();
    await([&] { return blocks >= until; });
  }

  GstElement *pipeline;
  GstElement *src;
  GstBus *bus;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  unsigned blocks = 0;
  GstClockTime pts = 0;  // of the last block
};

// Without a clock it says so, once, waits without a spin, and plays when there is one.
void test_no_clock () {
  Pipeline rig("identity name=end ! fakesink sync=false");
  g_assert_true(gst_element_link(rig.src, rig.get("end").get()));
  gst_pipeline_use_clock(GST_PIPELINE(rig.pipeline), nullptr);
  gst_element_set_state(rig.pipeline, GST_STATE_PLAYING);
  const clock_t before = std::clock();
  g_assert_cmpint(count(rig.bus, GST_MESSAGE_WARNING), ==, 1);
  g_assert_cmpfloat(double(std::clock() - before) / CLOCKS_PER_SEC, <, 0.3);
  {
    std::lock_guard lock(rig.mutex);
    g_assert_cmpuint(rig.blocks, ==, 0);
  }
  // Also while it waits it can be paused.
  gst_element_set_state(rig.pipeline, GST_STATE_PAUSED);
  gst_element_set_state(rig.pipeline, GST_STATE_PLAYING);
  g_assert_cmpint(count(rig.bus, GST_MESSAGE_WARNING), ==, 0);
  g_autoptr(GstClock) clock = gst_system_clock_obtain();
  gst_element_set_clock(rig.pipeline, clock);
  rig.await_blocks(10);
  gst_element_set_state(rig.pipeline, GST_STATE_READY);
  gst_pipeline_auto_clock(GST_PIPELINE(rig.pipeline));
  gst_element_set_state(rig.pipeline, GST_STATE_PLAYING);
  rig.await_blocks(10);
  rig.await([&] { return rig.pts < GST_SECOND; });
}

// In a real pipeline, with a file beside it that is seeked back to its beginning.
void seek_back (Pipeline &rig) {
  gst_element_set_state(rig.pipeline, GST_STATE_PLAYING);
  rig.await_blocks(150);
  for (int again = 0; again < 2; again++) {
    rig.await([&] { return rig.pts > GST_SECOND; });
    gst_element_seek_simple(rig.pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0);
    rig.await([&] { return rig.pts < GST_SECOND; });
    rig.await_blocks(120);
  }
  g_assert_cmpint(count(rig.bus, GstMessageType(GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)), ==, 0);
}

void test_seek_beside () {
  Pipeline rig("audiotestsrc volume=0 ! fakesink sync=true identity name=end ! fakesink sync=true");
  g_assert_true(gst_element_link(rig.src, rig.get("end").get()));
  seek_back(rig);
}

}  // namespace

int main (int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, nullptr);
  g_test_add_func("/mix-src/live-edge", test_live_edge);
  g_test_add_func("/mix-src/pace", test_pace);
  g_test_add_func("/mix-src/one-wait", test_one_wait);
  g_test_add_func("/mix-src/patience", test_patience);
  g_test_add_func("/mix-src/begins-anew", test_begins_anew);
  g_test_add_func("/mix-src/held-up", test_held_up);
  g_test_add_func("/mix-src/answers", test_answers);
  g_test_add_func("/mix-src/flushed", test_flushed);
  g_test_add_func("/mix-src/no-clock", test_no_clock);
  g_test_add_func("/mix-src/seek-beside", test_seek_beside);
  return g_test_run();
}
