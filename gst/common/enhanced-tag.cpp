// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/enhanced-tag.hpp"

#include <algorithm>
#include <cstddef>

namespace agora {

namespace {

using Bytes = std::span<const std::uint8_t>;

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
  FourLetters letters () {
    FourLetters letters = {};
    std::ranges::copy(take(letters.size()), letters.begin());
    return letters;
  }

 private:
  Bytes left_;
  bool cut_ = false;
};

// The type that is behind the modifiers, which end with it.
unsigned skip_modifiers (Reader &body) {
  unsigned type = EnhancedTag::modifier;
  while (type == EnhancedTag::modifier && !body.cut()) {
    std::size_t size = body.number(1) + 1;
    if (size == long_modifier)
      size = body.number(2) + 1;
    body.take(size);
    type = body.number(1) & 0x0f;
  }
  return type;
}

EnhancedTag read_tracks (Reader &body) {
  const std::uint32_t kind = body.number(1);
  const unsigned tracks = kind >> 4;
  const unsigned type = kind & 0x0f;
  const bool own_codecs = tracks == many_tracks_many_codecs;
  if (!body.cut() && tracks > many_tracks_many_codecs)
    return {EnhancedTag::Kind::ignored, type};
  FourLetters letters = own_codecs ? FourLetters{} : body.letters();
  do {
    if (own_codecs)
      letters = body.letters();
    const std::uint32_t track = body.number(1);
    const std::size_t size = tracks == one_track ? body.rest().size() : body.number(3);
    const Bytes data = body.take(size);
    if (!body.cut() && track == 0)
      return {EnhancedTag::Kind::plain, type, letters, data};
  } while (!body.cut() && !body.rest().empty());
  return {body.cut() ? EnhancedTag::Kind::refused : EnhancedTag::Kind::ignored, type};
}

}  // namespace

EnhancedTag EnhancedTag::read(Bytes bytes) {
  Reader body(bytes);
  const std::uint32_t first = body.number(1);
  if (body.cut() || first >> 4 != kEnhancedFormat)
    return {};
  unsigned type = first & 0x0f;
  if (type == modifier)
    type = skip_modifiers(body);
  if (!body.cut() && type == multitrack)
    return read_tracks(body);
  const FourLetters letters = body.letters();
  if (body.cut())
    return {EnhancedTag::Kind::refused, type};
  return {EnhancedTag::Kind::plain, type, letters, body.rest()};
}

}  // namespace agora
