// SPDX-License-Identifier: LGPL-2.1-or-later
// Any bytes as the FLV stream of a remote speaker, cut in two ways: what comes out is the same FLV,
// whole tags of one codec whose timestamps are in their bounds.
#include <glib.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gst/common/flv-audio-filter.hpp"

namespace {

using agora::FlvAudioFilter;

void require (bool good, const char *what) {
  if (!good)
    g_error("%s", what);
}

std::vector<std::uint8_t> filtered (FlvAudioFilter &filter, std::span<const std::uint8_t> bytes,
                                    std::size_t piece) {
  std::vector<std::uint8_t> out;
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    filter.push(bytes.first(n), out);
    bytes = bytes.subspan(n);
  }
  return out;
}

std::size_t check_tag (std::span<const std::uint8_t> bytes, unsigned codec) {
  require(bytes.size() >= 15, "a cut tag");
  const std::size_t size = bytes[1] << 16 | bytes[2] << 8 | bytes[3];
  const std::uint32_t stamp =
      static_cast<std::uint32_t>(bytes[7]) << 24 | bytes[4] << 16 | bytes[5] << 8 | bytes[6];
  require(bytes[0] == 8, "no audio");
  require(size > 0 && size <= FlvAudioFilter::kMostBody, "a body out of bounds");
  require(bytes.size() >= size + 15, "a cut body");
  require(bytes[11] >> 4 == codec, "another codec");
  require(stamp < FlvAudioFilter::kRewind, "a timestamp out of bounds");
  return size + 15;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput (const std::uint8_t *data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  FlvAudioFilter filter;
  FlvAudioFilter bit_by_bit;
  const std::vector<std::uint8_t> out = filtered(filter, bytes, size > 0 ? size : 1);
  require(out == filtered(bit_by_bit, bytes, 3), "how it is cut makes a difference");
  require(out.size() <= size + 13, "more than came in");
  if (out.empty())
    return 0;
  require(filter.is_flv() && filter.codec().has_value(), "sound of no codec");
  for (std::size_t at = 13; at < out.size();)
    at += check_tag(std::span(out).subspan(at), *filter.codec());
  return 0;
}
