// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-packet.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace agora {

namespace {

using Bytes = std::span<const std::uint8_t>;

// The first byte: five bits of configuration, one that says stereo, two of how many frames follow.
constexpr unsigned stereo_bit = 0x04;
constexpr unsigned code_mask = 0x03;
enum Code : unsigned { one_frame = 0, two_alike = 1, two_frames = 2, any_number = 3 };
// The second one, of any number of frames.
constexpr unsigned varies_bit = 0x80;
constexpr unsigned padding_bit = 0x40;
constexpr unsigned count_mask = 0x3f;
constexpr unsigned first_celt = 16;  // configurations below it are SILK, alone or with CELT

constexpr std::size_t most_frame = 1275;
constexpr unsigned most_samples = 5760;
// Lengths of 252 and more have a second byte, which counts fours.
constexpr unsigned two_bytes = 252;
// Padding that is longer than this has more bytes that tell so.
constexpr unsigned most_padding_byte = 254;

// Extension 127, without a length: it reaches to the end.
constexpr std::uint8_t experiment = 127 << 1;
constexpr std::array<std::uint8_t, 5> mark = {experiment, 'A', 'g', 'w', '1'};
constexpr std::size_t stamp_bytes = mark.size() + sizeof(std::int64_t);
static_assert(stamp_bytes < most_padding_byte);

// RFC 6716, table 2; at 48 kHz.
unsigned frame_samples (unsigned configuration) {
  constexpr std::array<unsigned, 4> silk = {480, 960, 1920, 2880};
  constexpr std::array<unsigned, 4> celt = {120, 240, 480, 960};
  if (configuration < 12)
    return silk[configuration & 3];
  if (configuration < 16)
    return silk[configuration & 1];
  return celt[configuration & 3];
}

// A frame's length takes itself off the front.
bool take_length (Bytes &bytes, std::size_t &length) {
  if (bytes.empty())
    return false;
  length = bytes.front();
  bytes = bytes.subspan(1);
  if (length < two_bytes)
    return true;
  if (bytes.empty())
    return false;
  length += std::size_t{4} * bytes.front();
  bytes = bytes.subspan(1);
  return true;
}

// So does the padding's.
bool take_padding_length (Bytes &bytes, std::size_t &padding) {
  padding = 0;
  std::uint8_t byte = 0;
  do {
    if (bytes.empty())
      return false;
    byte = bytes.front();
    bytes = bytes.subspan(1);
    padding += std::min<unsigned>(byte, most_padding_byte);
  } while (byte > most_padding_byte);
  return true;
}

// And the padding off the back.
bool take_padding (Bytes &bytes) {
  std::size_t padding = 0;
  if (!take_padding_length(bytes, padding) || padding > bytes.size())
    return false;
  bytes = bytes.first(bytes.size() - padding);
  return true;
}

// What is in the packet without what tells how long it is.
struct Frames {
  Bytes all;
  Bytes first;
};

bool take_alike (Bytes bytes, unsigned frames, Frames &taken) {
  const std::size_t length = bytes.size() / frames;
  if (bytes.size() % frames != 0 || length > most_frame)
    return false;
  taken = {bytes, bytes.first(length)};
  return true;
}

// The last frame is what the others leave.
bool take_lengths (Bytes bytes, unsigned frames, Frames &taken) {
  std::size_t others = 0;
  std::size_t first = 0;
  for (unsigned i = 1; i < frames; i++) {
    std::size_t length = 0;
    if (!take_length(bytes, length))
      return false;
    others += length;
    if (i == 1)
      first = length;
  }
  if (others > bytes.size() || bytes.size() - others > most_frame)
    return false;
  taken = {bytes, bytes.first(frames > 1 ? first : bytes.size())};
  return true;
}

bool read_any_number (Bytes bytes, OpusPacket &packet, Frames &taken) {
  if (bytes.empty())
    return false;
  const unsigned count = bytes.front();
  bytes = bytes.subspan(1);
  packet.frames = count & count_mask;
  packet.padded = (count & padding_bit) != 0;
  if (packet.frames == 0 || (packet.padded && !take_padding(bytes)))
    return false;
  return count & varies_bit ? take_lengths(bytes, packet.frames, taken)
                            : take_alike(bytes, packet.frames, taken);
}

bool read_frames (unsigned code, Bytes bytes, OpusPacket &packet, Frames &taken) {
  packet.frames = code == one_frame ? 1 : 2;
  switch (code) {
    case one_frame:
    case two_alike:
      return take_alike(bytes, packet.frames, taken);
    case two_frames:
      return take_lengths(bytes, packet.frames, taken);
    default:
      return read_any_number(bytes, packet, taken);
  }
}

// RFC 6716, 4.2.3 and 4.2.4: a frame of SILK begins with a bit for each 20 ms of it, that say where
// there is a voice, and one that says whether the frame before is in it; in stereo the same of the
// other channel. Each is as likely as not to be set, and so a bit in what is written, too.
bool first_has_fec (unsigned samples, int channels, Bytes first) {
  constexpr unsigned silk_frame = 960;
  const unsigned voices = std::max(1U, samples / silk_frame);
  const unsigned byte = first.front();
  return (byte >> (7 - voices) & 1) != 0 || (channels == 2 && (byte >> (6 - 2 * voices) & 1) != 0);
}

std::optional<OpusPacket> of_one (Bytes bytes) {
  if (bytes.empty())
    return std::nullopt;
  OpusPacket packet;
  packet.channels = bytes.front() & stereo_bit ? 2 : 1;
  Frames frames;
  if (!read_frames(bytes.front() & code_mask, bytes.subspan(1), packet, frames))
    return std::nullopt;
  const unsigned configuration = bytes.front() >> 3;
  const unsigned samples = frame_samples(configuration);
  packet.samples = packet.frames * samples;
  if (packet.samples > most_samples)
    return std::nullopt;
  packet.rests = frames.all.size() <= packet.frames;
  packet.has_fec = configuration < first_celt && frames.first.size() > 1 &&
                   first_has_fec(samples, packet.channels, frames.first);
  return packet;
}

// RFC 6716, appendix B: all streams but the last one of a packet tell the length of their last
// frame, too. It takes itself off the front; its samples.
std::optional<unsigned> take_delimited (Bytes &bytes) {
  if (bytes.empty())
    return std::nullopt;
  const unsigned first = bytes.front();
  const unsigned code = first & code_mask;
  bytes = bytes.subspan(1);
  unsigned frames = code == one_frame ? 1 : 2;
  bool varies = code == two_frames;
  std::size_t padding = 0;
  if (code == any_number) {
    if (bytes.empty())
      return std::nullopt;
    const unsigned count = bytes.front();
    bytes = bytes.subspan(1);
    frames = count & count_mask;
    varies = (count & varies_bit) != 0;
    if ((count & padding_bit) != 0 && !take_padding_length(bytes, padding))
      return std::nullopt;
  }
  const unsigned samples = frames * frame_samples(first >> 3);
  if (frames == 0 || samples > most_samples)
    return std::nullopt;
  std::size_t all = padding;
  const unsigned lengths = varies ? frames : 1;
  for (unsigned i = 0; i < lengths; i++) {
    std::size_t length = 0;
    if (!take_length(bytes, length))
      return std::nullopt;
    all += varies ? length : length * frames;
  }
  if (all > bytes.size())
    return std::nullopt;
  bytes = bytes.subspan(all);
  return samples;
}

}  // namespace

std::optional<OpusPacket> OpusPacket::of(Bytes bytes, unsigned streams) {
  std::optional<unsigned> samples;
  for (unsigned i = 1; i < streams; i++) {
    const std::optional<unsigned> of_this = take_delimited(bytes);
    if (!of_this || (samples && samples != of_this))
      return std::nullopt;
    samples = of_this;
  }
  std::optional<OpusPacket> packet = of_one(bytes);
  if (!packet || !samples)
    return packet;
  if (packet->samples != samples)
    return std::nullopt;
  // Of the last stream alone, which says nothing of the others.
  packet->has_fec = packet->rests = false;
  return packet;
}

std::optional<std::vector<std::uint8_t>> stamp_opus (Bytes bytes, std::int64_t wall) {
  const std::optional<OpusPacket> packet = OpusPacket::of(bytes);
  if (!packet || packet->padded)
    return std::nullopt;
  const unsigned code = bytes.front() & code_mask;
  Bytes frames = bytes.subspan(1);
  unsigned count = packet->frames;
  if (code == any_number) {
    count = frames.front();
    frames = frames.subspan(1);
  } else if (code == two_frames) {
    // The length of the first one is written alike in both.
    count |= varies_bit;
  }
  std::vector<std::uint8_t> out(3 + frames.size() + stamp_bytes);
  out[0] = static_cast<std::uint8_t>(bytes.front() | any_number);
  out[1] = static_cast<std::uint8_t>(count | padding_bit);
  out[2] = static_cast<std::uint8_t>(stamp_bytes);
  auto at = std::ranges::copy(frames, out.begin() + 3).out;
  at = std::ranges::copy(mark, at).out;
  for (int shift = 56; shift >= 0; shift -= 8)
    *at++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(wall) >> shift);
  return out;
}

std::optional<std::int64_t> opus_stamp (Bytes bytes) {
  const std::optional<OpusPacket> packet = OpusPacket::of(bytes);
  // The third byte is the padding's length.
  if (!packet || !packet->padded || bytes[2] != stamp_bytes)
    return std::nullopt;
  const Bytes padding = bytes.last(stamp_bytes);
  if (!std::ranges::equal(padding.first(mark.size()), mark))
    return std::nullopt;
  std::uint64_t wall = 0;
  for (const std::uint8_t byte : padding.subspan(mark.size()))
    wall = wall << 8 | byte;
  return static_cast<std::int64_t>(wall);
}

}  // namespace agora
