// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-tag.hpp"

#include <algorithm>

namespace agora {

namespace {

using Bytes = std::span<const std::uint8_t>;
using Kind = OpusTag::Kind;

constexpr std::array<std::uint8_t, 4> letters = {'O', 'p', 'u', 's'};
constexpr std::array<std::uint8_t, 8> head_letters = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd'};

// AudioPacketType.
enum Type : unsigned {
  sequence_start = 0,
  coded_frames = 1,
  sequence_end = 2,
  multichannel_config = 4,
  multitrack = 5,
  modifier = 7,
};
// AvMultitrackType.
enum Tracks : unsigned { one_track = 0, many_tracks = 1, many_tracks_many_codecs = 2 };

// What is longer than its size in one byte has it in two.
constexpr std::size_t long_modifier = 256;

// Takes bytes off the front. What isn't there any more is refused by whoever looks at cut().
class Reader {
 public:
  explicit Reader(Bytes bytes) : left_(bytes) {}
  bool cut () const { return cut_; }
  Bytes rest () const { return left_; }
  Bytes take (std::size_t n) {
    cut_ |= n > left_.size();
    const Bytes taken = left_.first(std::min(n, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  std::uint32_t number (std::size_t bytes) {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : take(bytes))
      value = value << 8 | byte;
    return value;
  }
  bool letters_are_opus () { return std::ranges::equal(take(letters.size()), letters); }

 private:
  Bytes left_;
  bool cut_ = false;
};

bool is_head (Bytes data) {
  constexpr std::size_t version = head_letters.size();
  // The upper four bits of the version are what a reader has to know.
  return data.size() >= kOpusHead &&
         std::ranges::equal(data.first(head_letters.size()), head_letters) &&
         data[version] >> 4 == 0 && data[version + 1] > 0;
}

OpusTag of_type (unsigned type, Bytes data) {
  switch (type) {
    case sequence_start:
      return is_head(data) ? OpusTag{Kind::head, data} : OpusTag{Kind::refused, {}};
    case coded_frames:
      return data.empty() ? OpusTag{Kind::refused, {}} : OpusTag{Kind::packet, data};
    case sequence_end:
      return {Kind::end, {}};
    case multichannel_config:
      return {data.empty() ? Kind::refused : Kind::layout, {}};
    default:
      return {Kind::ignored, {}};
  }
}

// The type that is behind the modifiers, which end with it.
unsigned skip_modifiers (Reader &body) {
  unsigned type = modifier;
  while (type == modifier && !body.cut()) {
    std::size_t size = body.number(1) + 1;
    if (size == long_modifier)
      size = body.number(2) + 1;
    body.take(size);
    type = body.number(1) & 0x0f;
  }
  return type;
}

OpusTag read_tracks (Reader &body) {
  const std::uint32_t kind = body.number(1);
  const unsigned tracks = kind >> 4;
  const unsigned type = kind & 0x0f;
  const bool own_codecs = tracks == many_tracks_many_codecs;
  if (!body.cut() && tracks > many_tracks_many_codecs)
    return {Kind::ignored, {}};
  bool is_opus = !own_codecs && body.letters_are_opus();
  if (!own_codecs && !body.cut() && !is_opus)
    return {Kind::foreign, {}};
  do {
    if (own_codecs)
      is_opus = body.letters_are_opus();
    const std::uint32_t track = body.number(1);
    const std::size_t size = tracks == one_track ? body.rest().size() : body.number(3);
    const Bytes data = body.take(size);
    if (!body.cut() && track == 0)
      return is_opus ? of_type(type, data) : OpusTag{Kind::foreign, {}};
  } while (!body.cut() && !body.rest().empty());
  return {body.cut() ? Kind::refused : Kind::ignored, {}};
}

}  // namespace

OpusTag read_opus_tag (Bytes bytes) {
  Reader body(bytes);
  const std::uint32_t first = body.number(1);
  if (body.cut() || first >> 4 != kEnhancedFormat)
    return {};
  unsigned type = first & 0x0f;
  if (type == modifier)
    type = skip_modifiers(body);
  if (body.cut())
    return {Kind::refused, {}};
  if (type == multitrack)
    return read_tracks(body);
  if (body.rest().size() < letters.size())
    return {Kind::refused, {}};
  return body.letters_are_opus() ? of_type(type, body.rest()) : OpusTag{};
}

std::vector<std::uint8_t> write_opus_tag (Kind kind, Bytes data) {
  const unsigned type = kind == Kind::head ? sequence_start : coded_frames;
  std::vector<std::uint8_t> body(1 + letters.size() + data.size());
  body.front() = static_cast<std::uint8_t>(kEnhancedFormat << 4 | type);
  const auto rest = std::ranges::copy(letters, body.begin() + 1).out;
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
