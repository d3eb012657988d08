// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-tag.hpp"

#include <algorithm>

namespace agora {

namespace {

using Bytes = std::span<const std::uint8_t>;
using Kind = OpusTag::Kind;

constexpr std::array<std::uint8_t, 8> head_letters = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd'};

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

std::array<std::uint8_t, kOpusHead> opus_head (int channels, unsigned pre_skip) {
  // Version 1, 48 kHz (0xbb80, as all numbers here the lower byte first), no gain, family 0.
  std::array<std::uint8_t, kOpusHead> head = {'O', 'p', 'u',  's',  'H', 'e', 'a', 'd', 1, 0,
                                              0,   0,   0x80, 0xbb, 0,   0,   0,   0,   0};
  head[9] = static_cast<std::uint8_t>(channels);
  head[10] = static_cast<std::uint8_t>(pre_skip);
  head[11] = static_cast<std::uint8_t>(pre_skip >> 8);
  return head;
}

int opus_head_channels (Bytes head) {
  constexpr std::size_t channels = head_letters.size() + 1;
  return head.size() > channels ? head[channels] : 0;
}

}  // namespace agora
