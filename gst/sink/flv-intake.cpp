// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/sink/flv-intake.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gst/common/flv-audio-buffer.hpp"
#include "gst/common/gst-ptr.hpp"
#include "gst/common/opus-frames.hpp"
#include "gst/common/opus-tag-reader.hpp"
#include "gst/common/opus-tag.hpp"

namespace agora {

namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-flv"));
GstStaticPadTemplate flv_template =
    GST_STATIC_PAD_TEMPLATE("flv", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-flv"));
GstStaticPadTemplate opus_template = GST_STATIC_PAD_TEMPLATE("opus", GST_PAD_SRC, GST_PAD_SOMETIMES,
                                                             GST_STATIC_CAPS("audio/x-opus"));

// What goes back so far has begun anew. flvdemux has the same bound.
constexpr std::int64_t anew_ms = 2000;
// Where a stream is come upon in its middle, so much of it waits for the head, which a server may
// send behind it.
constexpr std::size_t most_waiting = 8;
constexpr std::int64_t longest_wait_ms = 200;

}  // namespace

// All of it belongs to the streaming thread, but for what comes along the pads by itself.
class FlvIntake {
 public:
  explicit FlvIntake(GstElement *element) : element_(element) {
    sink_ = gst_pad_new_from_static_template(&sink_template, "sink");
    flv_ = gst_pad_new_from_static_template(&flv_template, "flv");
    gst_pad_set_chain_function(sink_, on_buffer);
    gst_pad_set_event_function(sink_, on_event);
    gst_pad_set_event_function(flv_, on_event_back);
    gst_element_add_pad(element_, sink_);
    gst_element_add_pad(element_, flv_);
    gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
  }
  FlvIntake(const FlvIntake &) = delete;
  FlvIntake &operator=(const FlvIntake &) = delete;

  const FlvAudioFilter &filter () const { return filter_; }

 private:
  using Bytes = OpusTagReader::Bytes;
  enum class Way { demuxer, packets };
  enum class Head { none, guessed, told };
  struct Waiting {
    std::vector<std::uint8_t> data;
    std::int64_t ms;
  };

  static GstFlowReturn on_buffer (GstPad *pad, GstObject *element, GstBuffer *buffer) noexcept;
  static gboolean on_event (GstPad *pad, GstObject *element, GstEvent *event) noexcept;
  static gboolean on_event_back (GstPad *pad, GstObject *element, GstEvent *event) noexcept;

  GstFlowReturn take (GstBuffer *buffer);
  GstFlowReturn take_opus (GstBuffer *tags);
  GstFlowReturn take_packet (const OpusTagReader::Read &packet);
  GstFlowReturn give_packet (OpusTagReader::Read packet);
  GstFlowReturn give_waiting ();
  bool take_head (Bytes head, Head from);
  std::string other_family (int family, Head from) const;
  void begin_opus ();
  void tell (GstClockTime first);
  void tell_start ();
  void tell_segment (GstClockTime first);
  std::int64_t time_of (const OpusTagReader::Read &packet);
  bool leads (Way way);
  bool refuse (const std::string &why);
  void flush ();
  gboolean take_gap (GstEvent *event);
  gboolean event (GstEvent *event);

  GstElement *const element_;
  GstPad *sink_;  // of the element, as are the others
  GstPad *flv_;
  GstPad *opus_ = nullptr;
  std::optional<Way> way_;       // that sound took, since there is any
  FlvAudioFilter::Codec codec_;  // of that sound
  bool refused_ = false;
  FlvAudioFilter filter_;
  GstSegment segment_;  // that came last
  std::uint32_t segment_number_ = GST_SEQNUM_INVALID;

  // Of Opus.
  OpusTagReader reader_;
  Head head_ = Head::none;        // of this stream
  std::vector<Waiting> waiting_;  // while there is none
  int family_ = 0;
  Head family_from_ = Head::none;
  CapsPtr caps_;
  bool start_told_ = false;
  bool caps_told_ = false;
  bool segment_told_ = false;
  bool began_ = false;  // any segment told
  std::optional<std::int64_t> last_ms_;
  std::int64_t last_duration_ms_ = 0;
  std::int64_t moved_ms_ = 0;
};

}  // namespace agora

G_BEGIN_DECLS

#define GST_TYPE_AGORA_FLV_INTAKE (gst_agora_flv_intake_get_type())
G_DECLARE_FINAL_TYPE(GstAgoraFlvIntake, gst_agora_flv_intake, GST, AGORA_FLV_INTAKE, GstElement)

G_END_DECLS

struct _GstAgoraFlvIntake {
  GstElement parent;

  agora::FlvIntake *core;
};

G_DEFINE_TYPE(GstAgoraFlvIntake, gst_agora_flv_intake, GST_TYPE_ELEMENT)

static guint signal_refused;

static void gst_agora_flv_intake_finalize (GObject *object) noexcept {
  delete GST_AGORA_FLV_INTAKE(object)->core;
  G_OBJECT_CLASS(gst_agora_flv_intake_parent_class)->finalize(object);
}

static void gst_agora_flv_intake_class_init (GstAgoraFlvIntakeClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = gst_agora_flv_intake_finalize;
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  for (GstStaticPadTemplate *each :
       {&agora::sink_template, &agora::flv_template, &agora::opus_template})
    gst_element_class_add_static_pad_template(element_class, each);
  gst_element_class_set_static_metadata(element_class, "FLV intake", "Codec/Demuxer",
                                        "The sound of FLV for agorasink", "The agora developers");
  /**
   * GstAgoraFlvIntake::refused:
   * @intake: the element
   * @why: the middle of a sentence
   *
   * What of its input can't be sent: the flow ends. From the streaming thread.
   *
   * Since: 0.2
   */
  signal_refused = g_signal_new("refused", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                                nullptr, nullptr, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void gst_agora_flv_intake_init_core (GstAgoraFlvIntake *self) noexcept {
  self->core = std::make_unique<agora::FlvIntake>(GST_ELEMENT(self)).release();
}

static void gst_agora_flv_intake_init (GstAgoraFlvIntake *self) {
  gst_agora_flv_intake_init_core(self);
}

namespace agora {

namespace {

FlvIntake &core_of (gpointer element) {
  return *GST_AGORA_FLV_INTAKE(element)->core;
}

}  // namespace

GstElement *make_flv_intake () {
  return GST_ELEMENT(g_object_new(GST_TYPE_AGORA_FLV_INTAKE, nullptr));
}

const FlvAudioFilter &flv_filter_of (GstElement *intake) {
  return core_of(intake).filter();
}

GstFlowReturn FlvIntake::on_buffer(GstPad *, GstObject *element, GstBuffer *buffer) noexcept {
  const BufferPtr owned(buffer);
  return core_of(element).take(buffer);
}

GstFlowReturn FlvIntake::take(GstBuffer *buffer) {
  if (refused_)
    return GST_FLOW_ERROR;
  BufferPtr tags = filter_flv_audio(buffer, filter_);
  if (!tags)
    return GST_FLOW_OK;
  if (filter_.is_opus())
    return take_opus(tags.get());
  return leads(Way::demuxer) ? gst_pad_push(flv_, tags.release()) : GST_FLOW_ERROR;
}

// Once: whoever goes on sending gets no more than the flow's end for it, up to a flush.
bool FlvIntake::refuse(const std::string &why) {
  if (!std::exchange(refused_, true))
    g_signal_emit(element_, signal_refused, 0, why.c_str());
  return false;
}

// Another stream may follow; whoever takes them apart is there once.
bool FlvIntake::leads(Way way) {
  if (way_ && way_ != way)
    return refuse("its audio is " + filter_.arrivals().chosen.name() +
                  ", and that of the FLV before it was " + codec_.name());
  if (filter_.counts().passed > 0) {
    way_ = way;
    codec_ = filter_.arrivals().chosen;
  }
  return true;
}

GstFlowReturn FlvIntake::take_opus(GstBuffer *tags) {
  return read_opus_tags(tags, reader_, [this] (const OpusTagReader::Read &read) {
    if (read.packet)
      return take_packet(read);
    return take_head(read.data, Head::told) ? give_waiting() : GST_FLOW_ERROR;
  });
}

std::string FlvIntake::other_family(int family, Head from) const {
  const std::string mapping = "channel mapping family ";
  const std::string before = std::to_string(family_);
  if (from == Head::guessed)
    return "its Opus comes without a header, and that of the FLV before it said " + mapping +
           before;
  return "its Opus header says " + mapping + std::to_string(family) +
         (family_from_ == Head::guessed
              ? ", and the sound before it, which had none, was taken for family "
              : ", and the one before it ") +
         before;
}

// Whoever sends repeats it.
bool FlvIntake::take_head(Bytes head, Head from) {
  if (const std::string fault = opus_head_fault(head); !fault.empty())
    return refuse(fault);
  // What decodes one of them, or needs no decoder, is there once.
  const int family = opus_head_family(head);
  if (opus_ && family != family_)
    return refuse(other_family(family, from));
  CapsPtr caps = opus_caps(head);
  if (!caps)
    return refuse("its Opus header can't be read");
  head_ = family_from_ = from;
  family_ = family;
  if (caps_ && gst_caps_is_equal(caps.get(), caps_.get()))
    return true;
  caps_ = std::move(caps);
  caps_told_ = false;
  return true;
}

// As flvdemux does: what begins anew goes on where the last one ended.
std::int64_t FlvIntake::time_of(const OpusTagReader::Read &packet) {
  constexpr unsigned samples_a_ms = 48;
  if (last_ms_ && packet.ms <= *last_ms_ - anew_ms)
    moved_ms_ += *last_ms_ + last_duration_ms_ - packet.ms;
  last_ms_ = packet.ms;
  last_duration_ms_ = packet.packet->samples / samples_a_ms;
  return packet.ms + moved_ms_;
}

GstFlowReturn FlvIntake::take_packet(const OpusTagReader::Read &packet) {
  if (head_ != Head::none)
    return give_packet(packet);
  waiting_.push_back({{packet.data.begin(), packet.data.end()}, packet.ms});
  if (waiting_.size() < most_waiting && packet.ms - waiting_.front().ms < longest_wait_ms)
    return GST_FLOW_OK;
  return give_waiting();
}

// They say themselves what a decoder has to know, where no head came.
GstFlowReturn FlvIntake::give_waiting() {
  const std::vector<Waiting> waiting = std::exchange(waiting_, {});
  GstFlowReturn flow = GST_FLOW_OK;
  for (const Waiting &each : waiting) {
    // A head that came says how it is to be read.
    const auto packet = reader_.packet_of(each.data);
    if (!packet)
      continue;
    if (head_ == Head::none && !take_head(opus_head(packet->channels, 0), Head::guessed))
      return GST_FLOW_ERROR;
    flow = give_packet({packet, each.data, each.ms});
    if (flow != GST_FLOW_OK)
      break;
  }
  return flow;
}

GstFlowReturn FlvIntake::give_packet(OpusTagReader::Read packet) {
  if (!leads(Way::packets))
    return GST_FLOW_ERROR;
  if (!opus_)
    begin_opus();
  packet.ms = time_of(packet);
  BufferPtr frame = opus_frame(packet);
  tell(GST_BUFFER_PTS(frame.get()));
  return gst_pad_push(opus_, frame.release());
}

// What has to come before something of this time.
void FlvIntake::tell(GstClockTime first) {
  tell_start();
  if (!std::exchange(caps_told_, true))
    gst_pad_push_event(opus_, gst_event_new_caps(caps_.get()));
  if (!std::exchange(segment_told_, true))
    tell_segment(first);
}

// A part of what came, with an id of its own: whoever is behind the demuxer has another part.
void FlvIntake::tell_start() {
  if (std::exchange(start_told_, true))
    return;
  g_autofree char *id = gst_pad_create_stream_id(opus_, element_, "opus");
  GstEvent *start = gst_event_new_stream_start(id);
  if (g_autoptr(GstEvent) came = gst_pad_get_sticky_event(sink_, GST_EVENT_STREAM_START, 0)) {
    guint group = 0;
    if (gst_event_parse_group_id(came, &group))
      gst_event_set_group_id(start, group);
    gst_event_set_seqnum(start, gst_event_get_seqnum(came));
  }
  gst_pad_push_event(opus_, start);
}

void FlvIntake::begin_opus() {
  opus_ = gst_pad_new_from_static_template(&opus_template, "opus");
  gst_pad_set_event_function(opus_, on_event_back);
  gst_pad_use_fixed_caps(opus_);
  gst_pad_set_active(opus_, TRUE);
  tell_start();
  // Whoever is told of the pad looks at them.
  gst_pad_push_event(opus_, gst_event_new_caps(caps_.get()));
  caps_told_ = true;
  gst_element_add_pad(element_, opus_);
}

// As flvdemux does: it begins with the first packet, of whatever it counted before, as timestamps
// may begin anywhere. A later one in time says where it belongs, and goes on as it is.
void FlvIntake::tell_segment(GstClockTime first) {
  GstSegment segment = segment_;
  const bool in_time = segment.format == GST_FORMAT_TIME;
  if (!in_time)
    gst_segment_init(&segment, GST_FORMAT_TIME);
  if (!std::exchange(began_, true) || !in_time) {
    segment.start = segment.time = segment.position = first;
    if (segment.stop != GST_CLOCK_TIME_NONE && segment.stop <= first)
      segment.stop = GST_CLOCK_TIME_NONE;
  }
  GstEvent *event = gst_event_new_segment(&segment);
  if (segment_number_ != GST_SEQNUM_INVALID)
    gst_event_set_seqnum(event, segment_number_);
  gst_pad_push_event(opus_, event);
}

// What comes then counts by itself, and its segment is told anew: pads have forgotten theirs.
void FlvIntake::flush() {
  filter_.reset();
  refused_ = false;
  reader_ = {};
  head_ = Head::none;
  waiting_.clear();
  segment_told_ = false;
  last_ms_.reset();
  last_duration_ms_ = moved_ms_ = 0;
}

// It is at the sender's time, and what of the way goes on by ours has been moved.
gboolean FlvIntake::take_gap(GstEvent *event) {
  if (way_ != Way::packets)
    return gst_pad_push_event(flv_, event);
  GstClockTime at = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(event, &at, &duration);
  at += static_cast<GstClockTime>(moved_ms_) * GST_MSECOND;
  tell(at);
  GstEvent *moved = gst_event_new_gap(at, duration);
  gst_event_set_seqnum(moved, gst_event_get_seqnum(event));
  gst_event_unref(event);
  return gst_pad_push_event(opus_, moved);
}

gboolean FlvIntake::on_event(GstPad *, GstObject *element, GstEvent *event) noexcept {
  return core_of(element).event(event);
}

gboolean FlvIntake::event(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      give_waiting();
      head_ = Head::none;
      reader_.forget_head();
      filter_.reset();
      start_told_ = false;
      return gst_pad_push_event(flv_, event);
    case GST_EVENT_FLUSH_STOP:
      flush();
      break;
    case GST_EVENT_CAPS:
      return gst_pad_push_event(flv_, event);
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &segment_);
      segment_number_ = gst_event_get_seqnum(event);
      segment_told_ = false;
      return gst_pad_push_event(flv_, event);
    case GST_EVENT_GAP:
      return take_gap(event);
    case GST_EVENT_EOS:
      give_waiting();
      // A demuxer that got no sound calls its end an internal error.
      if (way_ == Way::packets)
        tell_start();
      if (way_)
        return gst_pad_push_event(way_ == Way::packets ? opus_ : flv_, event);
      gst_event_unref(event);
      return TRUE;
    default:
      break;
  }
  return gst_pad_event_default(sink_, GST_OBJECT(element_), event);
}

// What a seek upstream brought would not be what a demuxer counted.
gboolean FlvIntake::on_event_back(GstPad *pad, GstObject *element, GstEvent *event) noexcept {
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEEK)
    return gst_pad_event_default(pad, element, event);
  gst_event_unref(event);
  return FALSE;
}

}  // namespace agora
