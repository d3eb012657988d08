// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/codec-lanes.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "gst/sink/agora-frame-sink.hpp"
#include "gst/sink/lane-end.hpp"

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

// What is known of a lane's frames before the first of them is there.
CapsPtr caps_to_come (VoiceCodec codec) {
  return CapsPtr(gst_caps_from_string(
      codec == VoiceCodec::opus ? "audio/x-opus, channel-mapping-family = (int) 0"
                                : "audio/mpeg, mpegversion = (int) 4, stream-format = raw"));
}

// An end of the lanes that `inner` is one of: its other pad has it.
ObjectPtr<GstElement> element_of (GstPad *inner) {
  return ObjectPtr<GstElement>(gst_pad_get_parent_element(inner));
}

void add_to (GstElement *end, GstPad *pad) {
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(end, pad);
}

void remove_from (GstElement *end, GstPad *pad) {
  gst_pad_set_active(pad, FALSE);
  gst_element_remove_pad(end, pad);
}

}  // namespace

CodecLanes::CodecLanes(Host host)
    : host_(std::move(host)),
      entry_(sink_ref(gst_pad_new("entry", GST_PAD_SINK))),
      out_(sink_ref(gst_pad_new("out", GST_PAD_SRC))) {
  gst_segment_init(&told_segment_, GST_FORMAT_TIME);
  gst_pad_set_chain_function(entry_.get(), on_input);
  gst_pad_set_event_function(entry_.get(), on_input_event);
  gst_pad_set_query_function(entry_.get(), on_input_query);
  gst_pad_set_event_function(out_.get(), on_out_event);
  gst_pad_set_query_function(out_.get(), on_out_query);
}

GstElement *CodecLanes::make_split() {
  GstElement *split = make_lane_end("split", shared_from_this());
  gst_element_add_pad(split, entry_.get());
  return split;
}

GstElement *CodecLanes::make_join() {
  GstElement *join = make_lane_end("join", shared_from_this());
  gst_element_add_pad(join, out_.get());
  return join;
}

CodecLanes::LanePtr CodecLanes::lane(VoiceCodec codec) const {
  std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(lanes_.begin(), lanes_.end(), [&] (auto &each) { return each->codec == codec; });
  return found == lanes_.end() ? nullptr : *found;
}

// Nothing: it has just been taken away.
CodecLanes::LanePtr CodecLanes::lane_of(const GstPad *tap) const {
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [&] (auto &each) { return each->tap.get() == tap; });
  return found == lanes_.end() ? nullptr : *found;
}

// The pacing one last: what it brings to the frame sink may wait there.
std::vector<CodecLanes::LanePtr> CodecLanes::in_turn() const {
  const VoiceCodec paces = pacing_;
  std::lock_guard lock(mutex_);
  std::vector<LanePtr> all(lanes_);
  std::partition(all.begin(), all.end(),
                 [paces] (const LanePtr &each) { return each->codec != paces; });
  return all;
}

bool CodecLanes::set_wanted(const VoiceCodecs &wanted) {
  const VoiceCodec pacing = wanted.contains(VoiceCodec::opus) ? VoiceCodec::opus : VoiceCodec::aac;
  if (lanes_.empty())
    pacing_ = pacing;
  for (const VoiceCodec each : wanted)
    if (!lane(each) && !add(each))
      return false;
  // What waits is of the lane that paces from now on.
  if (pacing_.exchange(pacing) != pacing)
    send_side(Which::all);
  for (const VoiceCodec each : kVoiceCodecs)
    if (!wanted.contains(each))
      remove(each);
  return true;
}

// A lane that comes later hears what stream this is first.
bool CodecLanes::add(VoiceCodec codec) {
  const auto fresh = std::make_shared<Lane>();
  fresh->codec = codec;
  if (!host_.build(codec, fresh->elements))
    return false;
  fresh->feed = sink_ref(gst_pad_new((std::string("feed_") + name_of(codec)).c_str(), GST_PAD_SRC));
  fresh->tap = sink_ref(
      gst_pad_new_from_static_template(codec == VoiceCodec::opus ? &opus_template : &aac_template,
                                       (std::string("tap_") + name_of(codec)).c_str()));
  gst_pad_set_event_function(fresh->feed.get(), on_feed_event);
  gst_pad_set_query_function(fresh->feed.get(), on_feed_query);
  gst_pad_set_chain_function(fresh->tap.get(), on_frame);
  gst_pad_set_event_function(fresh->tap.get(), on_frame_event);
  add_to(element_of(out_.get()).get(), fresh->tap.get());
  add_to(element_of(entry_.get()).get(), fresh->feed.get());
  {
    std::lock_guard lock(mutex_);
    lanes_.push_back(fresh);
  }
  const bool linked = link(*fresh);
  for (const GstEventType type : {GST_EVENT_STREAM_START, GST_EVENT_CAPS, GST_EVENT_SEGMENT})
    if (GstEvent *event = gst_pad_get_sticky_event(entry_.get(), type, 0))
      gst_pad_push_event(fresh->feed.get(), event);
  // Where the segment has an end, that leaves room for what the encoders hold
  // (segment_with_tail()): it is another one now.
  GstEvent *segment = gst_pad_get_sticky_event(out_.get(), GST_EVENT_SEGMENT, 0);
  if (!segment)
    return linked;
  const GstSegment *of = nullptr;
  gst_event_parse_segment(segment, &of);
  if (GST_CLOCK_TIME_IS_VALID(of->stop) && !fresh->elements.empty())
    gst_pad_push_event(out_.get(), gst_event_copy(segment));
  gst_event_unref(segment);
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
  const LanePtr gone = lane(codec);
  if (!gone)
    return;
  gst_pad_push_event(gone->feed.get(), gst_event_new_eos());
  send_side(Which::all);
  for (GstElement *element : gone->elements)
    host_.remove(element);
  {
    std::lock_guard lock(mutex_);
    std::erase(lanes_, gone);
  }
  remove_from(element_of(entry_.get()).get(), gone->feed.get());
  remove_from(element_of(out_.get()).get(), gone->tap.get());
}

// --- What comes in

GstFlowReturn CodecLanes::on_input(GstPad *, GstObject *split, GstBuffer *buffer) noexcept {
  return lanes_of(split).input(buffer);
}

GstFlowReturn CodecLanes::input(GstBuffer *buffer) {
  const BufferPtr held(buffer);
  GstFlowReturn flow = GST_FLOW_OK;
  for (const LanePtr &each : in_turn())
    flow = gst_pad_push(each->feed.get(), gst_buffer_ref(buffer));
  send_side(Which::due);
  return flow;
}

gboolean CodecLanes::on_input_event(GstPad *, GstObject *split, GstEvent *event) noexcept {
  return lanes_of(split).input_event(event);
}

gboolean CodecLanes::input_event(GstEvent *event) {
  const GstEventType type = GST_EVENT_TYPE(event);
  // A flush goes to both: a lane may come or go while it is on its way, and it must reach the sink.
  const bool flushes = type == GST_EVENT_FLUSH_START || type == GST_EVENT_FLUSH_STOP;
  gboolean done = TRUE;
  if (type == GST_EVENT_FLUSH_START)
    done = gst_pad_push_event(out_.get(), gst_event_ref(event));
  if (type == GST_EVENT_FLUSH_STOP) {
    side_.clear();
    paced_until_ = GST_CLOCK_TIME_NONE;
    told_ = 0;
  }
  const std::vector<LanePtr> all = in_turn();
  for (const LanePtr &each : all) {
    // The others have given what they held of the segment before.
    if (type == GST_EVENT_SEGMENT && each == all.back())
      came_++;
    const gboolean passed = gst_pad_push_event(each->feed.get(), gst_event_ref(event));
    done = flushes ? done : passed;
  }
  if (type == GST_EVENT_GAP)
    input_gap(event);
  if (type == GST_EVENT_FLUSH_STOP)
    done = gst_pad_push_event(out_.get(), gst_event_ref(event));
  gst_event_unref(event);
  return done;
}

// An encoder keeps it, and the segment it is in, until there is sound again. But the frame sink has
// to know: a gap, too, ends a preroll, and takes its time.
void CodecLanes::input_gap(GstEvent *event) {
  if (told_ != came_)
    if (GstEvent *segment = gst_pad_get_sticky_event(entry_.get(), GST_EVENT_SEGMENT, 0))
      tell_segment(segment);
  if (told_ == 0)
    return;
  GstClockTime begin = GST_CLOCK_TIME_NONE;
  gst_event_parse_gap(event, &begin, nullptr);
  if (GST_CLOCK_TIME_IS_VALID(begin))
    paced_until_ = begin;
  send_side(Which::due);
  gst_pad_push_event(out_.get(), gst_event_ref(event));
}

// The pacing lane tells what it takes.
gboolean CodecLanes::on_input_query(GstPad *, GstObject *split, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
    return FALSE;
  const std::vector<LanePtr> all = lanes_of(split).in_turn();
  return !all.empty() && gst_pad_peer_query(all.back()->feed.get(), query);
}

// --- What goes out

GstFlowReturn CodecLanes::on_frame(GstPad *pad, GstObject *join, GstBuffer *buffer) noexcept {
  BufferPtr frame(buffer);
  CodecLanes &self = lanes_of(join);
  const LanePtr from = self.lane_of(pad);
  return from ? self.frame(*from, std::move(frame)) : GST_FLOW_FLUSHING;
}

GstFlowReturn CodecLanes::frame(Lane &from, BufferPtr frame) {
  if (!from.caps)
    return GST_FLOW_NOT_NEGOTIATED;
  if (from.codec != pacing_) {
    side_.push_back({std::move(frame), share(from.caps.get()), came_});
    if (side_.size() > most_waiting)
      side_.pop_front();
    return GST_FLOW_OK;
  }
  tell_caps(from);
  // Those of the other lane that begin before it go before it.
  const GstClockTime begin = GST_BUFFER_PTS(frame.get());
  if (GST_CLOCK_TIME_IS_VALID(begin))
    paced_until_ = begin;
  // Without a time it paces nothing: then the frame sink's count does.
  send_side(GST_CLOCK_TIME_IS_VALID(begin) ? Which::due : Which::told);
  if (GST_CLOCK_TIME_IS_VALID(begin) && GST_BUFFER_DURATION_IS_VALID(frame.get()))
    paced_until_ = begin + GST_BUFFER_DURATION(frame.get());
  return gst_pad_push(out_.get(), frame.release());
}

void CodecLanes::tell_caps(const Lane &from) {
  if (out_caps_.get() == from.caps.get())
    return;
  out_caps_ = share(from.caps.get());
  gst_pad_push_event(out_.get(), gst_event_new_caps(out_caps_.get()));
}

// Takes the event. Not twice the same one: the frame sink may have changed its own since, by a
// step.
void CodecLanes::tell_segment(GstEvent *event) {
  const GstSegment *segment = nullptr;
  gst_event_parse_segment(event, &segment);
  if (told_ == came_ && gst_segment_is_equal(segment, &told_segment_)) {
    gst_event_unref(event);
    return;
  }
  send_side(Which::older);
  // No segment goes before the caps.
  if (!gst_pad_has_current_caps(out_.get())) {
    const CapsPtr caps = caps_to_come(pacing_);
    gst_pad_push_event(out_.get(), gst_event_new_caps(caps.get()));
  }
  gst_segment_copy_into(segment, &told_segment_);
  paced_until_ = GST_CLOCK_TIME_NONE;
  told_ = came_;
  gst_pad_push_event(out_.get(), event);
}

// Frames without a time follow one another, and those of a stream that runs backwards are in no
// order of theirs.
bool CodecLanes::is_due(const Waiting &one) const {
  if (one.segment > told_)
    return false;
  const GstClockTime begin = GST_BUFFER_PTS(one.frame.get());
  return told_segment_.rate < 0 || !GST_CLOCK_TIME_IS_VALID(begin) ||
         (GST_CLOCK_TIME_IS_VALID(paced_until_) && begin <= paced_until_);
}

void CodecLanes::send_side(Which which) {
  while (!side_.empty()) {
    const Waiting &first = side_.front();
    const bool goes = which == Which::all || (which == Which::told && first.segment <= told_) ||
                      (which == Which::older && first.segment < came_) ||
                      (which == Which::due && is_due(first));
    if (!goes)
      return;
    Waiting next = std::move(side_.front());
    side_.pop_front();
    // Nothing goes before the segment.
    if (told_ != 0)
      gst_pad_push(out_.get(), mark_side_frame(next.frame.release(), next.caps.get()));
  }
}

gboolean CodecLanes::on_frame_event(GstPad *pad, GstObject *join, GstEvent *event) noexcept {
  CodecLanes &self = lanes_of(join);
  if (const LanePtr from = self.lane_of(pad))
    self.frame_event(*from, event);
  else
    gst_event_unref(event);
  return TRUE;
}

void CodecLanes::frame_event(Lane &from, GstEvent *event) {
  const GstEventType type = GST_EVENT_TYPE(event);
  const bool paces = from.codec == pacing_;
  if (type == GST_EVENT_CAPS) {
    GstCaps *caps = nullptr;
    gst_event_parse_caps(event, &caps);
    from.caps = share(caps);
    if (paces)
      tell_caps(from);
    gst_event_unref(event);
  } else if (!paces || type == GST_EVENT_GAP || type == GST_EVENT_FLUSH_START ||
             type == GST_EVENT_FLUSH_STOP) {
    // Gaps and flushes have gone another way (input_event()).
    gst_event_unref(event);
  } else if (type == GST_EVENT_SEGMENT) {
    tell_segment(event);
  } else {
    if (type == GST_EVENT_EOS)
      send_side(Which::all);
    gst_pad_push_event(out_.get(), event);
  }
}

// --- What is asked from behind, and told from there

gboolean CodecLanes::on_out_event(GstPad *, GstObject *join, GstEvent *event) noexcept {
  return gst_pad_push_event(lanes_of(join).entry_.get(), event);
}

// Through the pacing lane, whose encoder adds its latency.
gboolean CodecLanes::on_out_query(GstPad *, GstObject *join, GstQuery *query) noexcept {
  const CodecLanes &self = lanes_of(join);
  const LanePtr pacing = self.lane(self.pacing_);
  return pacing && gst_pad_peer_query(pacing->tap.get(), query);
}

gboolean CodecLanes::on_feed_event(GstPad *, GstObject *, GstEvent *event) noexcept {
  gst_event_unref(event);
  return TRUE;
}

gboolean CodecLanes::on_feed_query(GstPad *pad, GstObject *split, GstQuery *query) noexcept {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS || GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS)
    return gst_pad_query_default(pad, split, query);
  return gst_pad_peer_query(lanes_of(split).entry_.get(), query);
}

}  // namespace agora
