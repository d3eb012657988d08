// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/opus-tag-reader.hpp"

#include <algorithm>
#include <cstddef>

#include "gst/common/flv-audio-filter.hpp"
#include "gst/common/opus-tag.hpp"

namespace agora {

namespace {

constexpr std::size_t file_header = 13;
constexpr std::size_t tag_head = 11;
constexpr std::size_t tag_trailer = 4;

std::uint32_t read_24 (OpusTagReader::Bytes bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 16 | static_cast<std::uint32_t>(bytes[1]) << 8 |
         bytes[2];
}

}  // namespace

std::optional<OpusTagReader::Read> OpusTagReader::next(Bytes &tags) {
  // Before the first tag there is the header of an FLV file.
  if (tags.size() >= file_header && tags.front() == 'F')
    tags = tags.subspan(file_header);
  while (tags.size() >= tag_head + tag_trailer) {
    const std::size_t size = read_24(tags.subspan(1));
    const std::uint32_t stamp = read_24(tags.subspan(4)) | std::uint32_t{tags[7]} << 24;
    tags = tags.subspan(tag_head);
    const OpusTag tag = read_opus_tag(tags.first(std::min(size, tags.size())));
    tags = tags.subspan(std::min(size + tag_trailer, tags.size()));
    if (tag.kind == OpusTag::Kind::head) {
      if (opus_head_fault(tag.data).empty())
        streams_ = opus_head_streams(tag.data);
      return Read{std::nullopt, tag.data};
    }
    if (tag.kind != OpusTag::Kind::packet)
      continue;
    if (const auto packet = packet_of(tag.data))
      return Read{packet, tag.data, time_of(stamp)};
  }
  return std::nullopt;
}

// The filter has made them modulo kRewind.
std::int64_t OpusTagReader::time_of(std::uint32_t stamp) {
  constexpr auto period = static_cast<std::uint32_t>(FlvAudioFilter::kRewind);
  if (!stamp_) {
    ms_ = stamp;
  } else {
    const std::uint32_t on = (stamp - *stamp_) & (period - 1);
    ms_ += on < period / 2 ? on : static_cast<std::int64_t>(on) - period;
  }
  stamp_ = stamp;
  return ms_;
}

}  // namespace agora
