// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as the body of an Opus tag, as a packet, and as the FLV stream of a remote speaker who
// may send Opus, or of agorasink's input: what is read lies within what came; what is written is
// read again; a stamp changes nothing of a packet; what goes on is Opus in its plainest form, and
// all of it that a decoder takes is read of that.
#include <glib.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gst/common/flv-audio-filter.hpp"
#include "gst/common/opus-packet.hpp"
#include "gst/common/opus-tag-reader.hpp"
#include "gst/common/opus-tag.hpp"
#include "gst/rtmp/opus-voice.hpp"

namespace {

using agora::FlvAudioFilter;
using agora::OpusPacket;
using agora::OpusTag;
using Bytes = std::span<const std::uint8_t>;

void require (bool good, const char *what) {
  if (!good)
    g_error("%s", what);
}

void check_packet (Bytes bytes) {
  const auto packet = OpusPacket::of(bytes);
  const auto stamp = agora::opus_stamp(bytes);
  require(!stamp || (packet && packet->padded), "a stamp without padding");
  require(!packet || (packet->samples >= 120 && packet->samples <= 5760), "out of all length");
  const auto stamped = agora::stamp_opus(bytes, 0x0123456789abcdef);
  require(stamped.has_value() == (packet && !packet->padded), "a stamp where none can be");
  if (!stamped)
    return;
  const auto after = OpusPacket::of(*stamped);
  require(after && after->samples == packet->samples && after->frames == packet->frames &&
              after->channels == packet->channels && after->rests == packet->rests &&
              after->has_fec == packet->has_fec,
          "another packet than before");
  require(agora::opus_stamp(*stamped) == 0x0123456789abcdef, "another stamp");
}

bool is_sound (const float *samples, std::size_t count) {
  return std::all_of(samples, samples + count, [] (float each) { return std::isfinite(each); });
}

// Decoded, with whatever is missing before it, and gone on from.
void check_voice (Bytes bytes) {
  const auto packet = OpusPacket::of(bytes);
  if (!packet)
    return;
  agora::OpusVoice voice(1 + static_cast<int>(bytes.size() % 2), bytes.front() * 256);
  const auto channels = static_cast<std::size_t>(voice.channels());
  for (const unsigned missing : {0U, 960U, static_cast<unsigned>(bytes.size()) * 37 % 20'000}) {
    const auto sound = voice.decode(bytes, *packet, missing);
    if (!sound)
      return;
    require(sound->frames == packet->samples, "another length than it says");
    require(is_sound(sound->samples, sound->frames * channels), "no sound");
    const agora::SoundContext &context = sound->context;
    require(context.before < missing + 120 || context.before <= 2880, "more than is missing");
    require(
        !context.mended || is_sound(context.mended, (context.before + sound->frames) * channels),
        "mended with no sound");
    std::vector<float> more(1234 * channels);
    context.after->begin()->make_up(more.data(), 1234);
    require(is_sound(more.data(), more.size()), "made up no sound");
  }
}

void check_body (Bytes bytes) {
  const OpusTag tag = agora::read_opus_tag(bytes);
  const bool has_data = tag.kind == OpusTag::Kind::head || tag.kind == OpusTag::Kind::packet;
  require(has_data != tag.data.empty(), "data where there is none");
  if (!has_data)
    return;
  require(tag.data.data() >= bytes.data() &&
              tag.data.data() + tag.data.size() <= bytes.data() + bytes.size(),
          "out of bounds");
  const std::vector<std::uint8_t> written = agora::write_opus_tag(tag.kind, tag.data);
  const OpusTag again = agora::read_opus_tag(written);
  require(again.kind == tag.kind && std::ranges::equal(again.data, tag.data), "not read again");
  if (tag.kind == OpusTag::Kind::head) {
    const int channels = agora::opus_head_channels(tag.data);
    require(channels > 0, "a head without channels");
    const bool is_good = agora::opus_head_fault(tag.data).empty();
    require(!is_good || channels <= 8, "more channels than are mixed");
    require(is_good || !agora::opus_head_is_plain(tag.data), "a fault of mono or stereo");
  }
  check_packet(tag.data);
}

std::vector<std::uint8_t> filtered (FlvAudioFilter &filter, Bytes bytes, std::size_t piece) {
  std::vector<std::uint8_t> out;
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    filter.push(bytes.first(n), out);
    bytes = bytes.subspan(n);
  }
  return out;
}

void check_reader (Bytes tags, std::size_t packets) {
  agora::OpusTagReader reader;
  Bytes left = tags;
  while (const auto next = reader.next(left)) {
    require(next->data.data() >= tags.data() &&
                next->data.data() + next->data.size() <= tags.data() + tags.size(),
            "out of bounds");
    packets -= next->packet.has_value();
  }
  require(packets == 0, "another number of packets");
}

void check_stream (Bytes bytes) {
  FlvAudioFilter filter;
  FlvAudioFilter bit_by_bit;
  const std::vector<std::uint8_t> out =
      filtered(filter, bytes, std::max<std::size_t>(1, bytes.size()));
  require(out == filtered(bit_by_bit, bytes, 3), "how it is cut makes a difference");
  require(out.size() <= bytes.size() + 13, "more than came in");
  std::size_t packets = 0;
  unsigned streams = 1;
  for (std::size_t at = 13; at < out.size();) {
    const Bytes tag = std::span(out).subspan(at);
    require(tag.size() >= 15, "a cut tag");
    const std::size_t size = tag[1] << 16 | tag[2] << 8 | tag[3];
    require(tag.size() >= size + 15, "a cut body");
    const OpusTag opus = agora::read_opus_tag(tag.subspan(11, size));
    const bool is_opus = opus.kind == OpusTag::Kind::head || opus.kind == OpusTag::Kind::packet;
    require(is_opus == (*filter.codec() == agora::kEnhancedFormat), "two codecs in one stream");
    if (opus.kind == OpusTag::Kind::head && agora::opus_head_fault(opus.data).empty())
      streams = agora::opus_head_streams(opus.data);
    packets += opus.kind == OpusTag::Kind::packet && OpusPacket::of(opus.data, streams);
    at += size + 15;
  }
  check_reader(out, packets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  const Bytes bytes(data, size);
  check_packet(bytes);
  check_voice(bytes);
  check_body(bytes);
  check_stream(bytes);
  agora::OpusTagReader reader;
  Bytes left = bytes;
  while (reader.next(left)) {
  }
  return 0;
}
