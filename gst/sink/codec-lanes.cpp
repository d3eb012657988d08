// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/codec-lanes.hpp"

#include <algorithm>
#include <utility>

namespace agora {

namespace {

GstStaticPadTemplate aac_template = GST_STATIC_PAD_TEMPLATE(
    "aac", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("audio/mpeg, mpegversion = (int) { 2, 4 }, stream-format = (string) raw"));
GstStaticPadTemplate opus_template =
    GST_STATIC_PAD_TEMPLATE("opus", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("audio/x-opus, channel-mapping-family = (int) 0"));

// Frames of the other lane that wait: the pacing one never is so far behind.
constexpr std::size_t most_waiting = 256;

}  // namespace

CodecLanes::CodecLanes(Host host) : host_(std::move(host)) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  entry_ = sink_ref(gst_pad_new("entry", GST_PAD_SINK));
  out_ = sink_ref(gst_pad_new("out", GST_PAD_SRC));
  for (GstPad *pad : {entry_.get(), out_.get()})
    gst_pad_set_element_private(pad, this);
  gst_pad_set_chain_function(entry_.get(), on_input);
  gst_pad_set_event_function(entry_.get(), on_input_event);
  gst_pad_set_query_function(entry_.get(), on_input_query);
  gst_pad_set_event_function(out_.get(), on_out_event);
  gst_pad_set_query_function(out_.get(), on_out_query);
  gst_pad_set_active(out_.get(), TRUE);
  gst_pad_set_active(entry_.get(), TRUE);
}

// What comes in has stopped, and the elements of the lanes go with the bin's others.
CodecLanes::~CodecLanes() {
  for (GstPad *pad : {entry_.get(), out_.get()}) {
    gst_pad_set_active(pad, FALSE);
    ObjectPtr<GstPad> peer(gst_pad_get_peer(pad));
    if (peer)
      pad == entry_.get() ? gst_pad_unlink(peer.get(), pad) : gst_pad_unlink(pad, peer.get());
  }
  for (const auto &each : lanes_) {
    gst_pad_set_active(each->feed.get(), FALSE);
    gst_pad_set_active(each->tap.get(), FALSE);
  }
}

CodecLanes::Lane *CodecLanes::lane(VoiceCodec codec) const {
  std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(lanes_.begin(), lanes_.end(), [&] (auto &each) { return each->codec == codec; });
  return found == lanes_.end() ? nullptr : found->get();
}

GstElement *CodecLanes::pacing_encoder() const {
  const Lane *pacing = lane(pacing_);
  return pacing && !pacing->elements.empty() ? pacing->elements.back() : nullptr;
}

std::vector<ObjectPtr<GstPad>> CodecLanes::feeds() const {
  std::vector<ObjectPtr<GstPad>> feeds;
  std::lock_guard lock(mutex_);
  feeds.reserve(lanes_.size());
  // The pacing one last: what it brings to the frame sink may wait there.
  for (const bool pacing : {false, true})
    for (const auto &each : lanes_)
      if ((each->codec == pacing_) == pacing)
        feeds.emplace_back(GST_PAD(gst_object_ref(each->feed.get())));
  return feeds;
}

bool CodecLanes::set_wanted(const VoiceCodecs &wanted) {
  const VoiceCodec pacing = wanted.contains(VoiceCodec::opus) ? VoiceCodec::opus : VoiceCodec::aac;
  if (lanes_.empty())
    pacing_ = pacing;
  for (const VoiceCodec each : wanted)
    if (!lane(each) && !add(each))
      return false;
  // What waits is of the lane that paces from now on.
  if (std::exchange(pacing_, pacing) != pacing)
    send_side(true);
  for (const VoiceCodec each : kVoiceCodecs)
    if (!wanted.contains(each))
      remove(each);
  return true;
}

// A lane that comes later hears what stream this is first.
bool CodecLanes::add(VoiceCodec codec) {
  auto fresh = std::make_unique<Lane>();
  fresh->owner = this;
  fresh->codec = codec;
  if (!host_.build(codec, fresh->elements))
    return false;
  fresh->feed = sink_ref(gst_pad_new("feed", GST_PAD_SRC));
  fresh->tap = sink_ref(gst_pad_new_from_static_template(
      codec == VoiceCodec::opus ? &opus_template : &aac_template, "tap"));
  for (GstPad *pad : {fresh->feed.get(), fresh->tap.get()})
    gst_pad_set_element_private(pad, fresh.get());
  gst_pad_set_event_function(fresh->feed.get(), on_feed_event);
  gst_pad_set_query_function(fresh->feed.get(), on_feed_query);
  gst_pad_set_chain_function(fresh->tap.get(), on_frame);
  gst_pad_set_event_function(fresh->tap.get(), on_frame_event);
  gst_pad_set_active(fresh->feed.get(), TRUE);
  gst_pad_set_active(fresh->tap.get(), TRUE);
  const bool linked = link(*fresh);
  GstPad *feed = fresh->feed.get();
  {
    std::lock_guard lock(mutex_);
    lanes_.push_back(std::move(fresh));
  }
  for (const GstEventType type : {GST_EVENT_STREAM_START, GST_EVENT_CAPS, GST_EVENT_SEGMENT})
    if (GstEvent *event = gst_pad_get_sticky_event(entry_.get(), type, 0))
      gst_pad_push_event(feed, event);
  return linked;
}

// Without elements, what comes in is of that codec already.
bool CodecLanes::link(const Lane &lane) {
  const auto &elements = lane.elements;
  if (elements.empty())
    return gst_pad_link(lane.feed.get(), lane.tap.get()) == GST_PAD_LINK_OK;
  for (std::size_t i = 0; i + 1 < elements.size(); i++)
    if (!gst_element_link(elements[i], elements[i + 1]))
      return false;
  ObjectPtr<GstPad> sink(gst_element_get_static_pad(elements.front(), "sink"));
  ObjectPtr<GstPad> src(gst_element_get_static_pad(elements.back(), "src"));
  if (gst_pad_link(src.get(), lane.tap.get()) != GST_PAD_LINK_OK ||
      gst_pad_link(lane.feed.get(), sink.get()) != GST_PAD_LINK_OK)
    return false;
  for (auto it = elements.rbegin(); it != elements.rend(); ++it)
    gst_element_sync_state_with_parent(*it);
  return true;
}

// What it still holds comes out first.
void CodecLanes::remove(VoiceCodec codec) {
  Lane *gone = lane(codec);
  if (!gone)
    return;
  gst_pad_push_event(gone->feed.get(), gst_event_new_eos());
  send_side(true);
  for (GstElement *element : gone->elements)
    host_.remove(element);
  gst_pad_set_active(gone->feed.get(), FALSE);
  gst_pad_set_active(gone->tap.get(), FALSE);
  std::lock_guard lock(mutex_);
  std::erase_if(lanes_, [gone] (auto &each) { return each.get() == gone; });
}

// --- What comes in

GstFlowReturn CodecLanes::on_input(GstPad *pad, GstObject *, GstBuffer *buffer) {
  return static_cast<CodecLanes *>(gst_pad_get_element_private(pad))->input(buffer);
}

GstFlowReturn CodecLanes::input(GstBuffer *buffer) {
  const BufferPtr held(buffer);
  GstFlowReturn flow = GST_FLOW_OK;
  for (const auto &feed : feeds())
    flow = gst_pad_push(feed.get(), gst_buffer_ref(buffer));
  send_side(false);
  return flow;
}

gboolean CodecLanes::on_input_event(GstPad *pad, GstObject *, GstEvent *event) {
  return static_cast<CodecLanes *>(gst_pad_get_element_private(pad))->input_event(event);
}

gboolean CodecLanes::input_event(GstEvent *event) {
  const GstEventType type = GST_EVENT_TYPE(event);
  if (type == GST_EVENT_SEGMENT)
    gst_event_copy_segment(event, &segment_);
  if (type == GST_EVENT_FLUSH_STOP) {
    side_.clear();
    paced_until_ = GST_CLOCK_TIME_NONE;
  }
  gboolean done = TRUE;
  for (const auto &feed : feeds()) {
    done = gst_pad_push_event(feed.get(), gst_event_ref(event));
    // All that the others held is out before the end is told.
    if (type == GST_EVENT_EOS)
      send_side(true);
  }
  gst_event_unref(event);
  return done;
}

// The pacing lane tells what it takes.
gboolean CodecLanes::on_input_query(GstPad *pad, GstObject *, GstQuery *query) {
  auto *self = static_cast<CodecLanes *>(gst_pad_get_element_private(pad));
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
    return FALSE;
  const auto feeds = self->feeds();
  return !feeds.empty() && gst_pad_peer_query(feeds.back().get(), query);
}

// --- What goes out

GstFlowReturn CodecLanes::on_frame(GstPad *pad, GstObject *, GstBuffer *buffer) {
  auto *from = static_cast<Lane *>(gst_pad_get_element_private(pad));
  return from->owner->frame(*from, BufferPtr(buffer));
}

GstFlowReturn CodecLanes::frame(Lane &from, BufferPtr frame) {
  if (!from.caps)
    return GST_FLOW_NOT_NEGOTIATED;
  if (from.codec != pacing_) {
    side_.push_back({std::move(frame), share(from.caps.get())});
    if (side_.size() > most_waiting)
      side_.pop_front();
    return GST_FLOW_OK;
  }
  tell_caps(from);
  if (GST_BUFFER_PTS_IS_VALID(frame.get()))
    paced_until_ =
        GST_BUFFER_PTS(frame.get()) +
        (GST_BUFFER_DURATION_IS_VALID(frame.get()) ? GST_BUFFER_DURATION(frame.get()) : 0);
  return gst_pad_push(out_.get(), frame.release());
}

void CodecLanes::tell_caps(const Lane &from) {
  if (out_caps_.get() == from.caps.get())
    return;
  out_caps_ = share(from.caps.get());
  gst_pad_push_event(out_.get(), gst_event_new_caps(out_caps_.get()));
}

void CodecLanes::send_side(bool all) {
  while (!side_.empty()) {
    const GstClockTime pts = GST_BUFFER_PTS(side_.front().frame.get());
    const bool due = GST_CLOCK_TIME_IS_VALID(paced_until_) && pts <= paced_until_;
    if (!all && !due)
      return;
    const Waiting next = std::move(side_.front());
    side_.pop_front();
    guint64 time = 0;
    // An encoder's first frame may begin before its segment does.
    if (gst_segment_to_running_time_full(&segment_, GST_FORMAT_TIME, pts, &time) <= 0)
      time = 0;
    host_.side_frame(next.frame.get(), next.caps.get(), time);
  }
}

gboolean CodecLanes::on_frame_event(GstPad *pad, GstObject *, GstEvent *event) {
  auto *from = static_cast<Lane *>(gst_pad_get_element_private(pad));
  from->owner->frame_event(*from, event);
  return TRUE;
}

void CodecLanes::frame_event(Lane &from, GstEvent *event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
    GstCaps *caps = nullptr;
    gst_event_parse_caps(event, &caps);
    from.caps = share(caps);
    if (from.codec == pacing_)
      tell_caps(from);
    gst_event_unref(event);
    return;
  }
  if (from.codec == pacing_)
    gst_pad_push_event(out_.get(), event);
  else
    gst_event_unref(event);
}

// --- What is asked from behind, and told from there

gboolean CodecLanes::on_out_event(GstPad *pad, GstObject *, GstEvent *event) {
  const auto *self = static_cast<CodecLanes *>(gst_pad_get_element_private(pad));
  return gst_pad_push_event(self->entry_.get(), event);
}

// Through the pacing lane, whose encoder adds its latency.
gboolean CodecLanes::on_out_query(GstPad *pad, GstObject *, GstQuery *query) {
  const auto *self = static_cast<CodecLanes *>(gst_pad_get_element_private(pad));
  ObjectPtr<GstPad> tap;
  {
    std::lock_guard lock(self->mutex_);
    for (const auto &each : self->lanes_)
      if (each->codec == self->pacing_)
        tap.reset(GST_PAD(gst_object_ref(each->tap.get())));
  }
  return tap && gst_pad_peer_query(tap.get(), query);
}

gboolean CodecLanes::on_feed_event(GstPad *, GstObject *, GstEvent *event) {
  gst_event_unref(event);
  return TRUE;
}

gboolean CodecLanes::on_feed_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  const auto *from = static_cast<Lane *>(gst_pad_get_element_private(pad));
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS || GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS)
    return gst_pad_query_default(pad, parent, query);
  return gst_pad_peer_query(from->owner->entry_.get(), query);
}

}  // namespace agora
