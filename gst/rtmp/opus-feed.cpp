// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/opus-feed.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "gst/common/opus-frames.hpp"
#include "gst/common/opus-tag.hpp"

namespace agora {

namespace {

// Timestamps are milliseconds, and packets may last for half of one: less than this is no hole.
constexpr GstClockTime least_hole = 5 * GST_MSECOND;
// Longer than this, another stream has begun.
constexpr GstClockTime most_hole = 10 * GST_SECOND;

// At once; and what of it there may be in a second, so that nobody's timestamps take our time.
constexpr GstClockTime most_mended = 120 * GST_MSECOND;
constexpr unsigned mended_ms = 1000;

}  // namespace

OpusFeed::OpusFeed(Taker taker) : taker_(std::move(taker)), mending_(mended_ms, mended_ms) {
}

OpusFeed::~OpusFeed() {
  if (pad_)
    gst_pad_set_active(pad_.get(), FALSE);
}

GstFlowReturn OpusFeed::push(GstBuffer *tags) {
  return read_opus_tags(tags, reader_, [this] (const OpusTagReader::Read &read) {
    if (read.packet)
      return take_packet(read);
    set_head(read.data);
    return GST_FLOW_OK;
  });
}

GstFlowReturn OpusFeed::take_packet(const OpusTagReader::Read &read) {
  if (!fault_.empty())
    return GST_FLOW_OK;
  // A packet says itself what a decoder has to know, where no head came yet.
  if (!caps_)
    set_head(opus_head(read.packet->channels, 0));
  if (!voice_ && !pad_)
    return GST_FLOW_OK;
  BufferPtr buffer = opus_frame(read);
  if (pad_)
    return gst_pad_push(pad_.get(), buffer.release());
  if (taker_.packet(buffer.get(), caps_.get())) {
    decode(buffer.get(), read.data, *read.packet);
  } else if (GST_CLOCK_TIME_IS_VALID(end_)) {
    voice_->reset();
    end_ = GST_CLOCK_TIME_NONE;
  }
  return GST_FLOW_OK;
}

// In samples, as its timestamp has it.
unsigned OpusFeed::missing_before(GstClockTime at) {
  if (!GST_CLOCK_TIME_IS_VALID(end_) || at < end_ + least_hole || at > end_ + most_hole)
    return 0;
  const std::int64_t now = g_get_monotonic_time() / 1000;
  if (!mending_.is_paid(now))
    return 0;
  mending_.charge(now, std::min(at - end_, most_mended) / GST_MSECOND);
  return static_cast<unsigned>(gst_util_uint64_scale(at - end_, OpusVoice::kRate, GST_SECOND));
}

void OpusFeed::decode(GstBuffer *packet, Bytes bytes, const OpusPacket &read) {
  const GstClockTime at = GST_BUFFER_PTS(packet);
  const unsigned missing = missing_before(at);
  end_ = at + GST_BUFFER_DURATION(packet);
  if (const auto sound = voice_->decode(bytes, read, missing))
    taker_.sound(at, *sound, voice_->channels());
}

// What keeps its sound from being decoded here, if anything.
std::string OpusFeed::fault_of(Bytes head) const {
  std::string fault = opus_head_fault(head);
  // Whether elements decode is settled with the first good one.
  if (fault.empty() && caps_ && opus_head_is_plain(head) != !pad_)
    fault = "its Opus header says channel mapping family " +
            std::to_string(opus_head_family(head)) + ", and the sound before it had " +
            std::to_string(family_);
  return fault;
}

// A sender repeats its head, so that whoever comes later gets it.
void OpusFeed::set_head(Bytes head) {
  if (const std::string fault = fault_of(head); fault != fault_) {
    fault_ = fault;
    taker_.refused(fault_);
  }
  if (!fault_.empty())
    return;
  CapsPtr caps = opus_caps(head);
  if (!caps || (caps_ && gst_caps_is_equal(caps.get(), caps_.get())))
    return;
  const bool first = !caps_;
  const bool plain = opus_head_is_plain(head);
  family_ = opus_head_family(head);
  caps_ = std::move(caps);
  if (plain) {
    voice_ = std::make_unique<OpusVoice>(opus_head_channels(head), opus_head_gain(head));
    end_ = GST_CLOCK_TIME_NONE;
  } else if (first) {
    begin_pad();
  } else {
    gst_pad_push_event(pad_.get(), gst_event_new_caps(caps_.get()));
  }
}

void OpusFeed::begin_pad() {
  pad_ = sink_ref(gst_pad_new("opus", GST_PAD_SRC));
  gst_pad_set_active(pad_.get(), TRUE);
  taker_.link(pad_.get(), caps_.get());
  gst_pad_push_event(pad_.get(), gst_event_new_stream_start("opus"));
  gst_pad_push_event(pad_.get(), gst_event_new_caps(caps_.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(pad_.get(), gst_event_new_segment(&segment));
}

void OpusFeed::end() {
  if (pad_)
    gst_pad_push_event(pad_.get(), gst_event_new_eos());
}

}  // namespace agora
