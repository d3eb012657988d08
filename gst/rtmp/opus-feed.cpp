// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/rtmp/opus-feed.hpp"

#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "gst/common/flv-audio-filter.hpp"
#include "gst/common/opus-tag.hpp"

namespace agora {

namespace {

constexpr std::size_t file_header = 13;
constexpr std::size_t tag_head = 11;
constexpr std::size_t tag_trailer = 4;

// Timestamps are milliseconds, and packets may last for half of one: less than this is no hole.
constexpr GstClockTime least_hole = 5 * GST_MSECOND;
// Longer than this, another stream has begun.
constexpr GstClockTime most_hole = 10 * GST_SECOND;

// At once; and what of it there may be in a second, so that nobody's timestamps take our time.
constexpr GstClockTime most_mended = 120 * GST_MSECOND;
constexpr unsigned mended_ms = 1000;

// For a listener who comes when it has long begun: nothing of it is to be left out. Nothing where
// it is no head that a decoder understands.
CapsPtr caps_of (std::span<const std::uint8_t> head) {
  constexpr std::size_t pre_skip = 10;
  std::vector<std::uint8_t> mine(head.begin(), head.end());
  mine[pre_skip] = mine[pre_skip + 1] = 0;
  BufferPtr buffer(gst_buffer_new_memdup(mine.data(), mine.size()));
  return CapsPtr(gst_codec_utils_opus_create_caps_from_header(buffer.get(), nullptr));
}

// Both of an OpusHead that read_opus_tag() gave.
bool is_plain (std::span<const std::uint8_t> head) {
  constexpr std::size_t family = 18;
  const int channels = opus_head_channels(head);
  return head[family] == 0 && (channels == 1 || channels == 2);
}

int gain_of (std::span<const std::uint8_t> head) {
  constexpr std::size_t gain = 16;
  return static_cast<std::int16_t>(head[gain] | head[gain + 1] << 8);
}

}  // namespace

OpusFeed::OpusFeed(Taker taker) : taker_(std::move(taker)), mending_(mended_ms, mended_ms) {
}

OpusFeed::~OpusFeed() {
  if (pad_)
    gst_pad_set_active(pad_.get(), FALSE);
}

GstFlowReturn OpusFeed::push(GstBuffer *tags) {
  GstMapInfo map;
  if (!gst_buffer_map(tags, &map, GST_MAP_READ))
    return GST_FLOW_OK;
  GstFlowReturn flow = GST_FLOW_OK;
  Bytes left(map.data, map.size);
  // Before the first tag there is the header of an FLV file.
  if (left.size() >= file_header && left.front() == 'F')
    left = left.subspan(file_header);
  while (flow == GST_FLOW_OK && left.size() >= tag_head + tag_trailer) {
    const std::size_t size = GST_READ_UINT24_BE(&left[1]);
    const std::uint32_t stamp = GST_READ_UINT24_BE(&left[4]) | std::uint32_t{left[7]} << 24;
    left = left.subspan(tag_head);
    flow = take(stamp, left.first(std::min(size, left.size())));
    left = left.subspan(std::min(size + tag_trailer, left.size()));
  }
  gst_buffer_unmap(tags, &map);
  return flow;
}

GstFlowReturn OpusFeed::take(std::uint32_t stamp, Bytes body) {
  const OpusTag tag = read_opus_tag(body);
  if (tag.kind == OpusTag::Kind::head)
    set_head(tag.data);
  else if (tag.kind == OpusTag::Kind::packet)
    return take_packet(stamp, tag.data);
  return GST_FLOW_OK;
}

// The filter has made them modulo kRewind.
GstClockTime OpusFeed::time_of(std::uint32_t stamp) {
  constexpr auto period = static_cast<std::uint32_t>(FlvAudioFilter::kRewind);
  if (!stamp_) {
    media_ms_ = stamp;
  } else {
    const std::uint32_t on = (stamp - *stamp_) & (period - 1);
    media_ms_ += on < period / 2 ? on : static_cast<std::int64_t>(on) - period;
  }
  stamp_ = stamp;
  return static_cast<GstClockTime>(std::max<std::int64_t>(media_ms_, 0)) * GST_MSECOND;
}

GstFlowReturn OpusFeed::take_packet(std::uint32_t stamp, Bytes bytes) {
  const std::optional<OpusPacket> packet = OpusPacket::of(bytes);
  if (!packet)
    return GST_FLOW_OK;
  // A packet says itself what a decoder has to know, where no head came yet.
  if (!caps_)
    set_head(opus_head(packet->channels, 0));
  if (!voice_ && !pad_)
    return GST_FLOW_OK;
  BufferPtr buffer(gst_buffer_new_memdup(bytes.data(), bytes.size()));
  GST_BUFFER_PTS(buffer.get()) = time_of(stamp);
  GST_BUFFER_DURATION(buffer.get()) =
      gst_util_uint64_scale_int(packet->samples, GST_SECOND, OpusVoice::kRate);
  if (pad_)
    return gst_pad_push(pad_.get(), buffer.release());
  if (taker_.packet(buffer.get(), caps_.get())) {
    decode(buffer.get(), bytes, *packet);
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

// A sender repeats its head, so that whoever comes later gets it.
void OpusFeed::set_head(Bytes head) {
  CapsPtr caps = caps_of(head);
  if (!caps || (caps_ && gst_caps_is_equal(caps.get(), caps_.get())))
    return;
  const bool first = !caps_;
  const bool plain = is_plain(head);
  // Whether elements decode is settled with the first one.
  if (!first && plain != !pad_)
    return;
  caps_ = std::move(caps);
  if (plain) {
    voice_ = std::make_unique<OpusVoice>(opus_head_channels(head), gain_of(head));
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
