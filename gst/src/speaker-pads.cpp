// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/src/speaker-pads.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "gst/common/private-part.hpp"
#include "gst/src/mix-src.hpp"

GST_DEBUG_CATEGORY_EXTERN(gst_agora_src_debug);
#define GST_CAT_DEFAULT gst_agora_src_debug

namespace agora {
namespace {

// What a recorder that is busy for a moment must not lose.
constexpr guint64 kQueued = 2 * GST_SECOND;
// Silence is told in pieces of this length, and this much later than sound would be.
constexpr GstClockTime kGap = 200 * GST_MSECOND;
// What overlaps by more than rounding and the correction of drift is told already.
constexpr GstClockTime kTold = 5 * GST_MSECOND;
// By so much may a frame's stamp overlap the one before.
constexpr GstClockTime kCorrection = GST_MSECOND;
// Frames that wait for the thread that sends: more than a moment's worth is lost.
constexpr std::size_t kOutbox = 256;
// Running time that goes back by more than this began anew: blocks of the mix follow each other.
constexpr GstClockTime kAnew = 50 * GST_MSECOND;

}  // namespace

SpeakerPad::SpeakerPad(GstBin *owner, std::uint32_t uid) : owner_(owner), uid_(uid) {
  const std::string name = "speaker_" + std::to_string(uid);
  queue_ = gst_element_factory_make("queue", nullptr);
  gst_util_set_object_arg(G_OBJECT(queue_), "leaky", "downstream");
  g_object_set(queue_, "max-size-time", kQueued, "max-size-buffers", 0, "max-size-bytes", 0,
               "silent", TRUE, nullptr);
  mark_private_part(queue_);
  gst_bin_add(owner_, queue_);
  gst_element_sync_state_with_parent(queue_);

  feeder_ = GST_PAD(gst_object_ref_sink(gst_pad_new("feeder", GST_PAD_SRC)));
  gst_pad_set_query_function(feeder_, query);
  gst_pad_set_active(feeder_, TRUE);
  g_autoptr(GstPad) sink = gst_element_get_static_pad(queue_, "sink");
  gst_pad_link_full(feeder_, sink, GST_PAD_LINK_CHECK_NOTHING);

  g_autoptr(GstPad) src = gst_element_get_static_pad(queue_, "src");
  GstPadTemplate *pad_template =
      gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(owner_), "speaker_%u");
  ghost_ = GST_PAD(
      gst_object_ref_sink(gst_ghost_pad_new_from_template(name.c_str(), src, pad_template)));
  gst_pad_set_active(ghost_, TRUE);
  gst_element_add_pad(GST_ELEMENT(owner_), ghost_);
}

SpeakerPad::~SpeakerPad() {
  gst_object_unref(ghost_);
  gst_object_unref(feeder_);
  gst_clear_caps(&caps_);
}

void SpeakerPad::close() {
  if (closed_.exchange(true))
    return;
  gst_pad_set_active(feeder_, FALSE);
  gst_element_set_locked_state(queue_, TRUE);
  gst_element_set_state(queue_, GST_STATE_NULL);
  gst_pad_set_active(ghost_, FALSE);
  // The application may keep the pad.
  if (const gulong probe = passing_.exchange(0))
    gst_pad_remove_probe(ghost_, probe);
  gst_element_remove_pad(GST_ELEMENT(owner_), ghost_);
  gst_bin_remove(owner_, queue_);
}

// As the mix: a sink at this pad must not spoil the latency of the whole pipeline.
gboolean SpeakerPad::query(GstPad *pad, GstObject *parent, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
    return gst_pad_query_default(pad, parent, query);
  gst_query_set_latency(query, TRUE, kMixLatency, GST_CLOCK_TIME_NONE);
  return TRUE;
}

// Stream start, caps and segment, in the order that GStreamer asks for; again for other caps.
void SpeakerPad::begin(GstCaps *caps) {
  if (caps_ && gst_caps_is_equal(caps, caps_))
    return;
  if (!caps_) {
    const std::string id = "agora-speaker-" + std::to_string(uid_);
    queue(gst_event_new_stream_start(id.c_str()));
  }
  queue(gst_event_new_caps(caps));
  if (!caps_) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    queue(gst_event_new_segment(&segment));
  }
  gst_caps_replace(&caps_, caps);
}

void SpeakerPad::queue(gpointer item) {
  outbox_.emplace_back(GST_MINI_OBJECT(item));
}

// Whoever comes while another one sends leaves it to that one: so all of it stays in order, and
// nobody waits.
void SpeakerPad::send(Lock lock) {
  if (std::exchange(sending_, true))
    return;
  while (!outbox_.empty()) {
    Item item = std::move(outbox_.front());
    outbox_.pop_front();
    lock.unlock();
    push_item(std::move(item));
    lock.lock();
  }
  sending_ = false;
}

void SpeakerPad::push_item(Item item) {
  GstMiniObject *what = item.release();
  if (GST_IS_BUFFER(what)) {
    gst_pad_push(feeder_, GST_BUFFER(what));
    return;
  }
  const bool ends = GST_EVENT_TYPE(what) == GST_EVENT_EOS;
  // Refused where downstream is over itself.
  if (!gst_pad_push_event(feeder_, GST_EVENT(what)) && ends)
    finish();
}

// EOS has left the pad, or nobody takes it.
void SpeakerPad::finish() {
  std::function<void()> done;
  {
    std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  if (done)
    done();
}

void SpeakerPad::push(GstBuffer *buffer, GstCaps *caps, GstClockTime pts) {
  Lock lock(mutex_);
  if (ended_)
    return;
  if (outbox_.size() >= kOutbox) {
    moved_ = true;
    return;
  }
  bool moved = !caps_ || !GST_CLOCK_TIME_IS_VALID(until_);
  begin(caps);
  if (GST_CLOCK_TIME_IS_VALID(until_)) {
    // The first guess of where sound belongs is late by what the session's beginning cost, and is
    // corrected by the next frames: what then overlaps goes, so that it is in its place at once. A
    // few milliseconds are moved there bit by bit.
    if (pts + kTold < until_) {
      moved_ = true;
      return;
    }
    moved = std::exchange(moved_, false) || pts > until_ + kTold;
    if (pts < until_)
      pts = std::max(pts, until_ - kCorrection);
  }
  GstBuffer *out = gst_buffer_copy(buffer);
  // Decoders count on from the first stamp unless they are told.
  if (moved)
    GST_BUFFER_FLAG_SET(out, GST_BUFFER_FLAG_DISCONT);
  GST_BUFFER_PTS(out) = pts;
  GST_BUFFER_DTS(out) = GST_CLOCK_TIME_NONE;
  const GstClockTime duration =
      GST_BUFFER_DURATION_IS_VALID(out) ? GST_BUFFER_DURATION(out) : 21 * GST_MSECOND;
  until_ = pts + duration;
  queue(out);
  send(std::move(lock));
}

void SpeakerPad::tick(GstClockTime now) {
  Lock lock(mutex_);
  // A flushing seek of a file in the same pipeline, for example.
  if (now + kAnew < ticked_)
    until_ = GST_CLOCK_TIME_NONE;
  ticked_ = now;
  if (ended_ || !caps_ || !GST_CLOCK_TIME_IS_VALID(until_) || now < until_ + 2 * kGap)
    return;
  const GstClockTime to = now - kGap;
  if (outbox_.size() < kOutbox)
    queue(gst_event_new_gap(until_, to - until_));
  until_ = to;
  moved_ = true;
  send(std::move(lock));
}

GstPadProbeReturn SpeakerPad::passed(GstPad *, GstPadProbeInfo *info, gpointer data) noexcept {
  if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS)
    return GST_PAD_PROBE_OK;
  auto *self = static_cast<SpeakerPad *>(data);
  self->passing_ = 0;
  self->finish();
  return GST_PAD_PROBE_REMOVE;
}

void SpeakerPad::end(std::function<void()> done) {
  bool listening = gst_pad_is_linked(ghost_);
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true))
      return;
    listening = listening && caps_;
    if (listening)
      done_.swap(done);
  }
  if (!listening) {
    done();
    return;
  }
  // Before the event that leads to it.
  passing_ = gst_pad_add_probe(ghost_, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, passed, this, nullptr);
  Lock lock(mutex_);
  queue(gst_event_new_eos());
  send(std::move(lock));
}

GstClockTime SpeakerPad::sent_until() const {
  std::lock_guard lock(mutex_);
  return until_;
}

}  // namespace agora
