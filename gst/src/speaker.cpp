// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/speaker.hpp"

#include <gst/audio/audio.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gst/common/capture-stamp.hpp"
#include "gst/common/codecs.hpp"
#include "gst/common/private-part.hpp"
#include "gst/mix/to-floats.hpp"

GST_DEBUG_CATEGORY_EXTERN(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace agora {
namespace {

GstStaticPadTemplate end_template = GST_STATIC_PAD_TEMPLATE(
    "timeline", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("audio/x-raw"));

// A media server that is silent for so long is frozen, or the way to it is: members send silence
// too.
constexpr guint kIdleSeconds = 3;
// Frames after which an AAC decoder has all of its overlap.
constexpr unsigned kSettled = 3;

// Whether a decoder would find nothing to do for a parser.
bool is_framed (const GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  gboolean framed = FALSE;
  return gst_structure_get_boolean(structure, "framed", &framed) && framed &&
         g_strcmp0(gst_structure_get_string(structure, "stream-format"), "raw") == 0;
}

}  // namespace

// One RTMP session: rtmp2src ! flvdemux ! (parser) ! decoder, in a bin of its own, and a pad at its
// end that pushes into the timeline. A returning speaker gets a new one: flvdemux does not begin
// anew after a flush.
class Speaker::Leg {
 public:
  Leg(Speaker *speaker, const std::string &url);
  ~Leg();
  bool start ();
  void cut ();
  void stop (Deadline until = told_by());
  // What it says from then on is no news.
  bool stopping () const { return stopping_; }
  bool owns (GstObject *object) const {
    return gst_object_has_as_ancestor(object, GST_OBJECT(bin_));
  }

 private:
  static void pad_added (GstElement *demuxer, GstPad *pad, gpointer self);
  static GstPadProbeReturn encoded (GstPad *pad, GstPadProbeInfo *info, gpointer self);
  static GstFlowReturn chain (GstPad *pad, GstObject *parent, GstBuffer *buffer);
  static gboolean event (GstPad *pad, GstObject *parent, GstEvent *event);
  void link (GstPad *pad);
  void link_decoder (GstPad *pad, GstCaps *caps);

  Speaker *speaker_;
  RtmpSocket options_;
  GstElement *bin_;
  GstElement *session_ = nullptr;  // the bin's
  GstElement *demuxer_ = nullptr;
  GstPad *end_;
  std::atomic<bool> stopping_ = false;
  bool started_ = false;
  bool linked_ = false;  // streaming thread
  ToFloats floats_;      // streaming thread
  unsigned frames_ = 0;  // streaming thread
};

Speaker::Leg::Leg(Speaker *speaker, const std::string &url) : speaker_(speaker) {
  static std::atomic<unsigned> count = 0;
  const std::string name =
      "speaker-" + std::to_string(speaker->uid_) + "-" + std::to_string(count++);
  bin_ = GST_ELEMENT(gst_object_ref_sink(gst_bin_new(name.c_str())));
  mark_private_part(bin_);

  end_ = GST_PAD(gst_object_ref_sink(gst_pad_new_from_static_template(&end_template, "timeline")));
  gst_pad_set_element_private(end_, this);
  gst_pad_set_chain_function(end_, chain);
  gst_pad_set_event_function(end_, event);

  session_ = gst_element_factory_make("rtmp2src", "session");
  demuxer_ = gst_element_factory_make("flvdemux", "demuxer");
  if (!session_ || !demuxer_) {
    gst_clear_object(&session_);
    gst_clear_object(&demuxer_);
    return;
  }
  g_object_set(session_, "location", url.c_str(), "idle-timeout", kIdleSeconds, nullptr);
  gst_bin_add_many(GST_BIN(bin_), session_, demuxer_, nullptr);
  gst_element_link(session_, demuxer_);
  g_signal_connect(demuxer_, "pad-added", G_CALLBACK(pad_added), this);
}

Speaker::Leg::~Leg() {
  stop();
  gst_object_unref(end_);
  gst_object_unref(bin_);
}

bool Speaker::Leg::start() {
  if (!demuxer_)
    return false;
  gst_pad_set_active(end_, TRUE);
  // The owner's state changes must not touch it: a session that starts or ends is no business of
  // the pipeline's.
  gst_element_set_locked_state(bin_, TRUE);
  if (!gst_bin_add(speaker_->owner_, bin_))
    return false;
  started_ = true;
  options_.apply(session_);
  return gst_element_set_state(bin_, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

void Speaker::Leg::cut() {
  stopping_ = true;
  if (started_ && stat_of(session_, "in-bytes-total") == 0)
    options_.cut();
}

void Speaker::Leg::stop(Deadline until) {
  if (!started_)
    return;
  cut();
  started_ = false;
  gst_pad_set_active(end_, FALSE);
  options_.await_told(until);
  gst_element_set_state(bin_, GST_STATE_NULL);
  gst_bin_remove(speaker_->owner_, bin_);
}

void Speaker::Leg::pad_added(GstElement *, GstPad *pad, gpointer self) {
  static_cast<Leg *>(self)->link(pad);
}

// Streaming thread. Video of other members is let fall where it comes out.
void Speaker::Leg::link(GstPad *pad) {
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
  const char *type = caps ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
  if (g_str_has_prefix(type, "audio/") && !linked_) {
    linked_ = true;
    link_decoder(pad, caps);
    return;
  }
  GstElement *nowhere = gst_element_factory_make("fakesink", nullptr);
  g_object_set(nowhere, "sync", FALSE, "async", FALSE, nullptr);
  gst_bin_add(GST_BIN(bin_), nowhere);
  gst_element_sync_state_with_parent(nowhere);
  g_autoptr(GstPad) sink = gst_element_get_static_pad(nowhere, "sink");
  gst_pad_link(pad, sink);
}

void Speaker::Leg::link_decoder(GstPad *pad, GstCaps *caps) {
  GstElement *parser =
      is_framed(caps) && !speaker_->watcher_->wants_encoded() ? nullptr : make_parser(caps);
  GstElement *decoder = make_decoder(caps);
  // Frames can be recorded as they are where nothing decodes them.
  GstElement *last = decoder ? decoder : gst_element_factory_make("fakesink", nullptr);
  if (!decoder && speaker_->watcher_->wants_mix())
    speaker_->watcher_->speaker_unplayable(speaker_->uid_, caps);
  if (!decoder && last)
    g_object_set(last, "sync", FALSE, "async", FALSE, nullptr);
  GstPad *from = GST_PAD(gst_object_ref(pad));
  for (GstElement *element : {parser, last}) {
    if (!element)
      continue;
    gst_bin_add(GST_BIN(bin_), element);
    gst_element_sync_state_with_parent(element);
    g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");
    gst_pad_link(from, sink);
    if (element == last)
      gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, encoded, this, nullptr);
    gst_object_unref(from);
    from = gst_element_get_static_pad(element, "src");
  }
  if (from)
    gst_pad_link(from, end_);
  gst_clear_object(&from);
}

// Every frame before it is decoded: what it says of its age, and who wants it as it is.
GstPadProbeReturn Speaker::Leg::encoded(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
  auto *self = static_cast<Leg *>(data);
  Speaker *speaker = self->speaker_;
  GstBuffer *frame = GST_PAD_PROBE_INFO_BUFFER(info);
  g_autoptr(GstClock) clock = gst_element_get_clock(GST_ELEMENT(speaker->owner_));
  if (!speaker->take_over(self, ++self->frames_))
    return GST_PAD_PROBE_OK;
  speaker->last_frame_ = gst_util_get_timestamp();
  if (!clock || !GST_BUFFER_PTS_IS_VALID(frame))
    return GST_PAD_PROBE_DROP;

  const auto now = static_cast<gint64>(gst_clock_get_time(clock));
  const auto media = static_cast<gint64>(GST_BUFFER_PTS(frame));
  const auto duration =
      GST_BUFFER_DURATION_IS_VALID(frame) ? static_cast<gint64>(GST_BUFFER_DURATION(frame)) : 0;
  if (const auto wall = read_stamp(frame))
    speaker->timeline_->stamped(media, now, *wall, g_get_real_time());
  if (speaker->watcher_->wants_encoded()) {
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    if (caps)
      speaker->watcher_->speaker_encoded(
          speaker->uid_, frame, caps,
          speaker->timeline_->place(media, now, duration, speaker->watcher_->wants_mix()));
  }
  // What nobody listens to is not decoded.
  return speaker->watcher_->wants_mix() ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

GstFlowReturn Speaker::Leg::chain(GstPad *pad, GstObject *, GstBuffer *buffer) {
  auto *self = static_cast<Leg *>(gst_pad_get_element_private(pad));
  Speaker *speaker = self->speaker_;
  g_autoptr(GstBuffer) owned = buffer;
  g_autoptr(GstClock) clock = gst_element_get_clock(GST_ELEMENT(speaker->owner_));
  // Before the pipeline has a clock nobody listens.
  if (!clock || !GST_BUFFER_PTS_IS_VALID(buffer) || !self->floats_.valid())
    return GST_FLOW_OK;

  {
    std::lock_guard lock(speaker->mutex_);
    if (speaker->current_.get() != self)
      return GST_FLOW_OK;
  }
  GstAudioBuffer mapped;
  if (gst_audio_buffer_map(&mapped, self->floats_.in(), buffer, GST_MAP_READ)) {
    speaker->timeline_->push(static_cast<gint64>(GST_BUFFER_PTS(buffer)),
                             static_cast<gint64>(gst_clock_get_time(clock)),
                             self->floats_.convert(&mapped), static_cast<gsize>(mapped.n_samples),
                             self->floats_.rate(), self->floats_.channels());
    gst_audio_buffer_unmap(&mapped);
  }
  return GST_FLOW_OK;
}

gboolean Speaker::Leg::event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto *self = static_cast<Leg *>(gst_pad_get_element_private(pad));
  GstCaps *caps;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps(event, &caps);
      if (!self->floats_.set_caps(caps))
        self->speaker_->watcher_->speaker_unplayable(self->speaker_->uid_, caps);
      break;
    case GST_EVENT_EOS:
      self->speaker_->ended(self);
      break;
    default:
      break;
  }
  return gst_pad_event_default(pad, parent, event);
}

Speaker::Speaker(GstBin *owner, std::uint32_t uid, std::shared_ptr<PlayoutTimeline> timeline,
                 Watcher *watcher)
    : owner_(owner), uid_(uid), timeline_(std::move(timeline)), watcher_(watcher) {
}

Speaker::~Speaker() = default;

std::array<std::shared_ptr<Speaker::Leg>, 3> Speaker::legs() const {
  std::lock_guard lock(mutex_);
  return {current_, next_, old_};
}

void Speaker::cut() {
  for (const auto &leg : legs())
    if (leg)
      leg->cut();
}

// Its own threads look things up here while they are stopped, so that it is found until they are.
void Speaker::stop(Deadline until) {
  for (const auto &leg : legs())
    if (leg)
      leg->stop(until);
}

void Speaker::play(const std::string &url) {
  tidy();
  auto leg = std::make_shared<Leg>(this, url);
  std::shared_ptr<Leg> replaced;
  {
    std::lock_guard lock(mutex_);
    replaced = std::exchange(next_, leg);
  }
  replaced.reset();
  if (!leg->start())
    failed(nullptr);
}

// Whether the sound of this RTMP session is the one in use. A new one takes over at its first
// frame; from one that still plays, not before its decoder has settled, so that the move is not
// heard.
bool Speaker::take_over(Leg *leg, unsigned frames) {
  {
    std::lock_guard lock(mutex_);
    if (current_.get() == leg)
      return true;
    if (next_.get() != leg || (hearing_ && frames < kSettled))
      return false;
    // What was in use ends later, on a thread that may wait for it.
    old_ = std::exchange(current_, std::exchange(next_, nullptr));
    timeline_->discontinuity();
    hearing_ = true;
  }
  watcher_->speaker_heard(uid_);
  return true;
}

void Speaker::tidy() {
  // Freed after the lock is: its streaming threads take it.
  std::shared_ptr<Leg> old;
  std::lock_guard lock(mutex_);
  std::swap(old, old_);
}

void Speaker::ended(Leg *leg) {
  {
    std::lock_guard lock(mutex_);
    // While another one is on its way, the end of this one is no news.
    if (leg->stopping() || (next_ ? next_.get() != leg : current_.get() != leg))
      return;
    hearing_ = false;
  }
  // Mostly it had been silent for a while before that showed.
  watcher_->speaker_broke(uid_, std::min(gst_util_get_timestamp(), last_frame_.load()));
}

bool Speaker::owns(GstObject *object) const {
  std::lock_guard lock(mutex_);
  for (const auto *leg : {&current_, &next_, &old_})
    if (*leg && (*leg)->owns(object))
      return true;
  return false;
}

void Speaker::failed(GstObject *where) {
  Leg *leg = nullptr;
  {
    std::lock_guard lock(mutex_);
    for (const auto *candidate : {&current_, &next_})
      if (*candidate && where && (*candidate)->owns(where))
        leg = candidate->get();
    if (!where)
      leg = next_.get();
  }
  if (leg)
    ended(leg);
}

}  // namespace agora
