// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-tag.hpp"

#include <algorithm>

namespace agora {

namespace {

using Bytes = std::span<const std::uint8_t>;
using Kind = OpusTag::Kind;

constexpr std::array<std::uint8_t, 8> head_letters = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd'};

// RFC 7845, 5.1.1: how channels are coded, and in which order they are.
enum Family : unsigned { voice = 0, surround = 1, no_order = 255 };
// What is no channel of the coded ones: silence.
constexpr unsigned silent_channel = 255;
// Where the gain is.
constexpr std::size_t gain_at = 16;

bool is_head (Bytes data) {
  constexpr std::size_t version = head_letters.size();
  // The upper four bits of the version are what a reader has to know.
  return data.size() >= kOpusHead &&
         std::ranges::equal(data.first(head_letters.size()), head_letters) &&
         data[version] >> 4 == 0 && data[version + 1] > 0;
}

OpusTag of_type (unsigned type, Bytes data) {
  switch (type) {
    case EnhancedTag::sequence_start:
      return is_head(data) ? OpusTag{Kind::head, data} : OpusTag{Kind::refused, {}};
    case EnhancedTag::coded_frames:
      return data.empty() ? OpusTag{Kind::refused, {}} : OpusTag{Kind::packet, data};
    case EnhancedTag::sequence_end:
      return {Kind::end, {}};
    case EnhancedTag::multichannel_config:
      return {data.empty() ? Kind::refused : Kind::layout, {}};
    default:
      return {Kind::ignored, {}};
  }
}

}  // namespace

OpusTag read_opus_tag (const EnhancedTag &tag) {
  switch (tag.kind) {
    case EnhancedTag::Kind::foreign:
      return {};
    case EnhancedTag::Kind::ignored:
      return {Kind::ignored, {}};
    case EnhancedTag::Kind::refused:
      return {Kind::refused, {}};
    case EnhancedTag::Kind::plain:
      break;
  }
  return tag.letters == kOpusLetters ? of_type(tag.type, tag.data) : OpusTag{};
}

std::vector<std::uint8_t> write_opus_tag (Kind kind, Bytes data) {
  const unsigned type =
      kind == Kind::head ? EnhancedTag::sequence_start : EnhancedTag::coded_frames;
  std::vector<std::uint8_t> body(1 + kOpusLetters.size() + data.size());
  body.front() = static_cast<std::uint8_t>(kEnhancedFormat << 4 | type);
  const auto rest = std::ranges::copy(kOpusLetters, body.begin() + 1).out;
  std::ranges::copy(data, rest);
  return body;
}

std::array<std::uint8_t, kOpusHead> opus_head (int channels, unsigned pre_skip, int gain) {
  // Version 1, 48 kHz (0xbb80, as all numbers here the lower byte first), family 0.
  std::array<std::uint8_t, kOpusHead> head = {'O', 'p', 'u',  's',  'H', 'e', 'a', 'd', 1, 0,
                                              0,   0,   0x80, 0xbb, 0,   0,   0,   0,   0};
  head[9] = static_cast<std::uint8_t>(channels);
  head[10] = static_cast<std::uint8_t>(pre_skip);
  head[11] = static_cast<std::uint8_t>(pre_skip >> 8);
  const auto bits = static_cast<std::uint16_t>(gain);
  head[gain_at] = static_cast<std::uint8_t>(bits);
  head[gain_at + 1] = static_cast<std::uint8_t>(bits >> 8);
  return head;
}

int opus_head_gain (Bytes head) {
  // Nobody needs to be made louder than by 24 dB.
  constexpr std::int16_t most = 24 * 256;
  if (head.size() < kOpusHead)
    return 0;
  return std::min(most, static_cast<std::int16_t>(head[gain_at] | head[gain_at + 1] << 8));
}

int opus_head_channels (Bytes head) {
  constexpr std::size_t channels = head_letters.size() + 1;
  return head.size() > channels ? head[channels] : 0;
}

int opus_head_family (Bytes head) {
  return head[kOpusHead - 1];
}

bool opus_head_is_plain (Bytes head) {
  return opus_head_family(head) == Family::voice && opus_head_channels(head) <= 2;
}

unsigned opus_head_streams (Bytes head) {
  return opus_head_family(head) == Family::voice ? 1 : head[kOpusHead];
}

std::string opus_head_fault (Bytes head) {
  const auto channels = static_cast<unsigned>(opus_head_channels(head));
  const auto family = static_cast<unsigned>(opus_head_family(head));
  const std::string says = "its Opus header says ";
  const std::string of_family = " mapping family " + std::to_string(family);
  if (family != Family::voice && family != Family::surround && family != Family::no_order)
    return says + "channel" + of_family + ", where 0, 1 and 255 are known";
  const unsigned most = family == Family::voice ? 2 : 8;
  if (channels > most)
    return says + std::to_string(channels) + " channels of" + of_family + ", where " +
           std::to_string(most) + " are the most";
  if (family == Family::voice)
    return {};
  // How many streams there are, how many of them are stereo, and for each channel which of the
  // coded ones it is.
  const std::size_t size = kOpusHead + 2 + channels;
  if (head.size() < size)
    return "its Opus header has " + std::to_string(head.size()) + " bytes, where " +
           std::to_string(channels) + " channels of" + of_family + " take " + std::to_string(size);
  const unsigned streams = head[kOpusHead];
  const unsigned stereo = head[kOpusHead + 1];
  const unsigned coded = streams + stereo;
  if (streams == 0 || stereo > streams || coded > silent_channel)
    return says + std::to_string(streams) + " streams, of which " + std::to_string(stereo) +
           " are stereo";
  for (const unsigned from : head.subspan(kOpusHead + 2, channels))
    if (from >= coded && from != silent_channel)
      return says + "that a channel is number " + std::to_string(from) + " of those coded, where " +
             std::to_string(coded) + " are";
  return {};
}

}  // namespace agora
