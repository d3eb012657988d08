// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/gstagoramixsrc.h"

#include <gst/audio/audio.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "gst/src/mix-src.hpp"
#include "gst/src/sink-deadline.hpp"
#include "signaling/support/guarded.hpp"

GST_DEBUG_CATEGORY_STATIC(gst_agora_mix_src_debug);
#define GST_CAT_DEFAULT gst_agora_mix_src_debug

namespace {

// Further behind the clock than this beyond the pipeline's latency, and the past is left out:
// playing it would make every listener that late.
constexpr GstClockTime kMaxBehind = 200 * GST_MSECOND;
// A pipeline that was flushed counts running time anew once its sinks have sound, mostly at once;
// no longer than this is waited for it.
constexpr auto kNewBase = std::chrono::milliseconds(300);
constexpr auto kLookAgain = std::chrono::milliseconds(5);
// The next block is never made so early: running time began anew, after a flushing seek of a file
// that is mixed with it for example.
constexpr GstClockTime kMaxAhead = 100 * GST_MSECOND;

struct State {
  std::shared_ptr<agora::Mixer> mixer;
  agora::MixSrcHooks hooks;
  std::atomic<GstClockTime> pipeline_latency = agora::kMixLatency;
  // The sink keeps so much time for itself that blocks may be made late.
  std::atomic<bool> patient = false;
  std::atomic<GstClockTime> skipped = 0;
  GstAudioInfo info;        // streaming thread
  guint64 next_frame = 0;   // streaming thread: running time of the next block, in frames
  bool discont = true;      // streaming thread
  bool told_clock = false;  // streaming thread
  // By a seek; the first block is still to come, or was given out. Under the stream lock.
  enum class Flush { none, asked, begun } flush = Flush::none;
  GstClockTime base_time = 0;  // streaming thread: of the last block

  // Guards what follows; taken before the OBJECT_LOCK.
  std::mutex mutex;
  std::condition_variable changed;  // unlocked, or another clock
  GstClockID waiting = nullptr;
  bool unlocked = false;
};

}  // namespace

struct _GstAgoraMixSrc {
  GstPushSrc parent;
  State *state;
};

G_DEFINE_TYPE(GstAgoraMixSrc, gst_agora_mix_src, GST_TYPE_PUSH_SRC)

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("audio/x-raw, format = (string) " GST_AUDIO_NE(
        F32) ", "
             "layout = (string) interleaved, rate = (int) [ 8000, 192000 ], "
             "channels = (int) [ 1, 2 ]"));

static GstCaps *gst_agora_mix_src_fixate (GstBaseSrc *src, GstCaps *caps) noexcept {
  caps = gst_caps_truncate(gst_caps_make_writable(caps));
  GstStructure *s = gst_caps_get_structure(caps, 0);
  gst_structure_fixate_field_nearest_int(s, "rate", 48000);
  gst_structure_fixate_field_nearest_int(s, "channels", 2);
  return GST_BASE_SRC_CLASS(gst_agora_mix_src_parent_class)->fixate(src, caps);
}

static gboolean gst_agora_mix_src_set_caps (GstBaseSrc *src, GstCaps *caps) noexcept {
  State &self = *GST_AGORA_MIX_SRC(src)->state;
  GstAudioInfo info;
  if (!gst_audio_info_from_caps(&info, caps))
    return FALSE;
  if (self.next_frame > 0 && GST_AUDIO_INFO_IS_VALID(&self.info))
    self.next_frame = gst_util_uint64_scale_round(self.next_frame, info.rate, self.info.rate);
  self.info = info;
  self.mixer->configure(info.rate, info.channels);
  return TRUE;
}

// Waits for the moment at which the block is over, as a microphone would; by `early` before it
// there is nothing to wait for.
static GstFlowReturn wait_until (GstAgoraMixSrc *src, GstClock *clock, GstClockTime when,
                                 GstClockTime early) {
  State &self = *src->state;
  GstClockID id = nullptr;
  {
    std::lock_guard lock(self.mutex);
    if (self.unlocked)
      return GST_FLOW_FLUSHING;
    if (gst_clock_get_time(clock) + early >= when)
      return GST_FLOW_OK;
    id = self.waiting = gst_clock_new_single_shot_id(clock, when);
  }
  const GstClockReturn ret = gst_clock_id_wait(id, nullptr);
  {
    std::lock_guard lock(self.mutex);
    self.waiting = nullptr;
  }
  gst_clock_id_unref(id);
  return ret == GST_CLOCK_UNSCHEDULED ? GST_FLOW_FLUSHING : GST_FLOW_OK;
}

// The pipeline's clock; nullptr: unlocked. Without a clock there is no time to mix for: that is
// said, and waited for.
static GstClock *await_clock (GstAgoraMixSrc *src) {
  State &self = *src->state;
  GstClock *clock = gst_element_get_clock(GST_ELEMENT(src));
  if (clock)
    return clock;
  if (!std::exchange(self.told_clock, true))
    GST_ELEMENT_WARNING(src, CORE, CLOCK,
                        ("The pipeline has no clock, so nothing is heard. Let it choose one "
                         "(gst_pipeline_auto_clock), or give it one."),
                        (nullptr));
  std::unique_lock lock(self.mutex);
  self.changed.wait(lock, [&] {
    return self.unlocked || (clock = gst_element_get_clock(GST_ELEMENT(src))) != nullptr;
  });
  return clock;
}

static gboolean gst_agora_mix_src_set_clock (GstElement *element, GstClock *clock) noexcept {
  State &self = *GST_AGORA_MIX_SRC(element)->state;
  const gboolean set = GST_ELEMENT_CLASS(gst_agora_mix_src_parent_class)->set_clock(element, clock);
  // What waits has either seen it, or waits by now.
  std::lock_guard lock(self.mutex);
  self.changed.notify_all();
  return set;
}

struct Block {
  GstClockTime length;
  GstClockTime made_after;  // its stamp
  GstClockTime early = 0;   // by so much, rather than to be woken up again
};

// Mostly each is made as if it were a single block, so that others change nothing for who comes
// after.
Block next_block (const State &self) {
  switch (self.mixer->pace()) {
    case agora::Pace::tight:
      // Sound has until 10 ms after its moment to come. Who mixes it with others, or plays it on
      // time, would wait for it in vain.
      if (self.patient)
        return {agora::kMixBlock / 2, agora::kMixBlock * 3 / 2};
      break;
    case agora::Pace::relaxed:
      // A sink with the usual patience has just played the last block: 25 ms after its stamp, and
      // so 5 ms before this one is due.
      return {agora::kMixBlock * 2, agora::kMixBlock, agora::kMixBlock / 2};
    case agora::Pace::usual:
      break;
  }
  return {agora::kMixBlock, agora::kMixBlock};
}

// Running time goes on, but for what could not be played, and for a new beginning.
static void follow_running_time (GstAgoraMixSrc *src, guint64 live) {
  State &self = *src->state;
  const auto rate = static_cast<guint64>(self.info.rate);
  const auto frames = [rate] (GstClockTime time) {
    return gst_util_uint64_scale_ceil(time, rate, GST_SECOND);
  };
  if (self.next_frame > live + frames(kMaxAhead)) {
    GST_INFO_OBJECT(src, "running time began anew");
    self.next_frame = live;
    self.discont = true;
  } else if (!self.discont &&
             live > self.next_frame + frames(self.pipeline_latency) + frames(kMaxBehind)) {
    const GstClockTime gone = gst_util_uint64_scale(live - self.next_frame, GST_SECOND, rate);
    GST_WARNING_OBJECT(src, "held up for %" GST_TIME_FORMAT ": going on live", GST_TIME_ARGS(gone));
    self.skipped += gone;
    self.discont = true;
  }
  if (self.discont)
    self.next_frame = std::max(self.next_frame, live);
}

// Flushed, sinks count from 0, and wait for a first buffer: a silent block at 0, at once. The
// clock's time is another one than theirs until they have it.
static GstBuffer *first_after_flush (State &self) {
  const auto frames = static_cast<guint>(
      gst_util_uint64_scale(agora::kMixBlock, static_cast<guint64>(self.info.rate), GST_SECOND));
  const gsize size = static_cast<gsize>(frames) * GST_AUDIO_INFO_BPF(&self.info);
  GstBuffer *out = gst_buffer_new_allocate(nullptr, size, nullptr);
  gst_buffer_memset(out, 0, 0, size);
  GST_BUFFER_PTS(out) = 0;
  GST_BUFFER_DURATION(out) = agora::kMixBlock;
  GST_BUFFER_OFFSET(out) = 0;
  GST_BUFFER_OFFSET_END(out) = frames;
  GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_GAP);
  GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DISCONT);
  return out;
}

// Nobody is told when the base time changes. False: unlocked.
static bool await_new_base (GstAgoraMixSrc *src) {
  State &self = *src->state;
  const auto until = std::chrono::steady_clock::now() + kNewBase;
  std::unique_lock lock(self.mutex);
  while (!self.unlocked && gst_element_get_base_time(GST_ELEMENT(src)) == self.base_time &&
         std::chrono::steady_clock::now() < until)
    self.changed.wait_for(lock, kLookAgain);
  return !self.unlocked;
}

static GstFlowReturn gst_agora_mix_src_create (GstPushSrc *push_src, GstBuffer **buffer) noexcept {
  GstAgoraMixSrc *src = GST_AGORA_MIX_SRC(push_src);
  State &self = *src->state;
  GstElement *element = GST_ELEMENT(src);
  g_autoptr(GstClock) clock = await_clock(src);
  if (!clock)
    return GST_FLOW_FLUSHING;

  if (self.flush == State::Flush::asked) {
    self.flush = State::Flush::begun;
    *buffer = first_after_flush(self);
    return GST_FLOW_OK;
  }
  if (self.flush == State::Flush::begun) {
    if (!await_new_base(src))
      return GST_FLOW_FLUSHING;
    self.flush = State::Flush::none;
    self.next_frame = 0;
    self.discont = true;
  }

  const GstClockTime base = self.base_time = gst_element_get_base_time(element);
  const GstClockTime now = gst_clock_get_time(clock);
  const GstClockTime running = now > base ? now - base : 0;
  const guint64 rate = self.info.rate;
  follow_running_time(src, gst_util_uint64_scale_ceil(running, rate, GST_SECOND));

  const guint64 first = self.next_frame;
  const Block block = next_block(self);
  const auto frames = static_cast<guint>(gst_util_uint64_scale(block.length, rate, GST_SECOND));
  const GstClockTime pts = gst_util_uint64_scale(first, GST_SECOND, rate);
  const GstClockTime end = gst_util_uint64_scale(first + frames, GST_SECOND, rate);
  // No later than its sink plays it.
  const GstClockTime most = self.pipeline_latency;
  const GstClockTime ready = pts + std::min(block.made_after, most);
  const GstClockTime early = block.made_after <= most ? block.early : 0;
  const GstFlowReturn ret = wait_until(src, clock, base + ready, early);
  if (ret != GST_FLOW_OK) {
    // Paused: running time stands still meanwhile, and sound goes on at the live edge.
    self.discont = true;
    return ret;
  }

  self.hooks.before_block(end);
  GstBuffer *out = gst_buffer_new_allocate(
      nullptr, static_cast<gsize>(frames) * GST_AUDIO_INFO_BPF(&self.info), nullptr);
  GstMapInfo map;
  gst_buffer_map(out, &map, GST_MAP_WRITE);
  const bool any =
      self.mixer->mix(static_cast<gint64>(base + pts), reinterpret_cast<float *>(map.data), frames);
  gst_buffer_unmap(out, &map);
  GST_BUFFER_PTS(out) = pts;
  GST_BUFFER_DURATION(out) = end - pts;
  GST_BUFFER_OFFSET(out) = first;
  GST_BUFFER_OFFSET_END(out) = first + frames;
  if (!any)
    GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_GAP);
  if (self.discont)
    GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DISCONT);
  self.discont = false;
  self.next_frame = first + frames;
  *buffer = out;
  self.hooks.after_block(end);
  return GST_FLOW_OK;
}

static gboolean gst_agora_mix_src_unlock (GstBaseSrc *src) noexcept {
  State &self = *GST_AGORA_MIX_SRC(src)->state;
  std::lock_guard lock(self.mutex);
  self.unlocked = true;
  self.changed.notify_all();
  if (self.waiting)
    gst_clock_id_unschedule(self.waiting);
  return TRUE;
}

static gboolean gst_agora_mix_src_unlock_stop (GstBaseSrc *src) noexcept {
  State &self = *GST_AGORA_MIX_SRC(src)->state;
  std::lock_guard lock(self.mutex);
  self.unlocked = false;
  return TRUE;
}

static gboolean gst_agora_mix_src_start (GstBaseSrc *src) noexcept {
  State &self = *GST_AGORA_MIX_SRC(src)->state;
  self.next_frame = 0;
  self.discont = true;
  self.told_clock = false;
  self.flush = State::Flush::none;
  self.skipped = 0;
  return TRUE;
}

static gboolean gst_agora_mix_src_query (GstBaseSrc *src, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
    // The least is what a block may need from its stamp to its push; how long sound is held back
    // for `latency` is in its stamp already, and never changes this. No upper bound: blocks that a
    // sink takes later are made later, from sound that waits anyway.
    gst_query_set_latency(query, TRUE, agora::kMixLatency, GST_CLOCK_TIME_NONE);
    return TRUE;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_SEEKING) {
    GstFormat format = GST_FORMAT_UNDEFINED;
    gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
    gst_query_set_seeking(query, format, FALSE, 0, -1);
    return TRUE;
  }
  return GST_BASE_SRC_CLASS(gst_agora_mix_src_parent_class)->query(src, query);
}

// What plays live has no position. But audiomixer forwards a seek to all that it mixes, and waits
// for each of them to flush: so one that flushes, and asks for nothing that can't be, does just
// that.
static bool only_flushes (GstEvent *event) {
  gdouble rate = 0;
  GstFormat format = GST_FORMAT_UNDEFINED;
  GstSeekFlags flags = GST_SEEK_FLAG_NONE;
  gst_event_parse_seek(event, &rate, &format, &flags, nullptr, nullptr, nullptr, nullptr);
  return (flags & GST_SEEK_FLAG_FLUSH) && format == GST_FORMAT_TIME && rate == 1;
}

// The base class flushes for seeks only if they are possible; query() tells the rest of the world.
static gboolean gst_agora_mix_src_is_seekable (GstBaseSrc *) noexcept {
  return TRUE;
}

// Wherever it is asked to go, it goes on live; also called as it starts. Under the stream lock.
static gboolean gst_agora_mix_src_do_seek (GstBaseSrc *src, GstSegment *segment) noexcept {
  State &self = *GST_AGORA_MIX_SRC(src)->state;
  if (segment->flags & GST_SEGMENT_FLAG_RESET)
    self.flush = State::Flush::asked;
  gst_segment_init(segment, GST_FORMAT_TIME);
  return TRUE;
}

static gboolean gst_agora_mix_src_event (GstBaseSrc *src, GstEvent *event) noexcept {
  State &self = *GST_AGORA_MIX_SRC(src)->state;
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK && !only_flushes(event)) {
    GST_INFO_OBJECT(src, "refused: of seeks, only a flushing one in time, at rate 1, is followed");
    return FALSE;
  }
  if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY) {
    GstClockTime latency;
    gst_event_parse_latency(event, &latency);
    self.pipeline_latency = latency;
    self.patient = agora::sink_deadline(GST_BASE_SRC_PAD(src)) >= agora::kSinkPatience;
    self.hooks.latency(latency, self.patient);
  }
  return GST_BASE_SRC_CLASS(gst_agora_mix_src_parent_class)->event(src, event);
}

static void gst_agora_mix_src_finalize (GObject *object) noexcept {
  delete GST_AGORA_MIX_SRC(object)->state;
  G_OBJECT_CLASS(gst_agora_mix_src_parent_class)->finalize(object);
}

static void gst_agora_mix_src_class_init (GstAgoraMixSrcClass *klass) {
  GST_DEBUG_CATEGORY_INIT(gst_agora_mix_src_debug, "agoramixsrc", 0, "live end of agorasrc");
  G_OBJECT_CLASS(klass)->finalize = gst_agora_mix_src_finalize;
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  element_class->set_clock = gst_agora_mix_src_set_clock;
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Live mix", "Source/Audio",
                                        "Pushes the mix of a channel's speakers live",
                                        "The agora developers");
  GstBaseSrcClass *base = GST_BASE_SRC_CLASS(klass);
  base->fixate = gst_agora_mix_src_fixate;
  base->set_caps = gst_agora_mix_src_set_caps;
  base->unlock = gst_agora_mix_src_unlock;
  base->unlock_stop = gst_agora_mix_src_unlock_stop;
  base->start = gst_agora_mix_src_start;
  base->is_seekable = gst_agora_mix_src_is_seekable;
  base->do_seek = gst_agora_mix_src_do_seek;
  base->query = gst_agora_mix_src_query;
  base->event = gst_agora_mix_src_event;
  GST_PUSH_SRC_CLASS(klass)->create = gst_agora_mix_src_create;
}

static void gst_agora_mix_src_init (GstAgoraMixSrc *self) {
  // The macro that declares this function knows no noexcept.
  self->state = agora::guarded("making agorasrc's live end", [] { return new State(); });
  gst_audio_info_init(&self->state->info);
  gst_base_src_set_live(GST_BASE_SRC(self), TRUE);
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
  // The clock is waited for in create(), so that nothing is left to do for the base class.
  gst_base_src_set_do_timestamp(GST_BASE_SRC(self), FALSE);
}

namespace agora {

GstElement *make_mix_src (std::shared_ptr<Mixer> mixer, MixSrcHooks hooks) {
  auto *self = GST_AGORA_MIX_SRC(g_object_new(GST_TYPE_AGORA_MIX_SRC, "name", "mix", nullptr));
  self->state->mixer = std::move(mixer);
  self->state->hooks = std::move(hooks);
  return GST_ELEMENT(self);
}

void release_mix_src (GstElement *mix_src) {
  auto nothing = [] (GstClockTime) {};
  GST_AGORA_MIX_SRC(mix_src)->state->hooks = {[] (GstClockTime, bool) {}, nothing, nothing};
}

GstClockTime mix_src_skipped (GstElement *mix_src) {
  return GST_AGORA_MIX_SRC(mix_src)->state->skipped;
}

}  // namespace agora
