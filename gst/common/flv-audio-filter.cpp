// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-audio-filter.hpp"

#include <algorithm>
#include <utility>

namespace agora {

namespace {

// Adobe's "Video File Format Specification" 10.1, annex E.
constexpr std::size_t signature_bytes = 9;
constexpr std::size_t trailer_bytes = 4;  // PreviousTagSize
constexpr std::uint8_t type_mask = 0x1f;
constexpr std::uint8_t encrypted_flag = 0x20;
constexpr std::uint8_t type_audio = 8;
constexpr std::uint8_t type_video = 9;
constexpr std::uint8_t type_script = 18;
constexpr unsigned format_enhanced = kEnhancedFormat;
constexpr unsigned format_aac = 10;
constexpr std::uint8_t aac_flags = 0xaf;
// Enhanced RTMP's header of a packet: its format and type, then four letters.
constexpr std::array<std::uint8_t, 4> letters_aac = {'m', 'p', '4', 'a'};
constexpr std::size_t enhanced_head = 1 + letters_aac.size();
constexpr std::uint8_t aac_config = 0;
constexpr std::uint8_t aac_frame = 1;
// An AudioSpecificConfig has two bytes at the least.
constexpr std::size_t least_config = 2 + 2;
// Further back than this is no wobble of a clock.
constexpr std::int64_t restart_ms = 2000;

constexpr std::array<std::uint8_t, signature_bytes + trailer_bytes> audio_header = {
    'F', 'L', 'V', 1, 0x04, 0, 0, 0, signature_bytes, 0, 0, 0, 0};

// What flvdemux knows: PCM, ADPCM, MP3, Nellymoser, G.711, AAC, Speex.
constexpr bool is_known (unsigned format) {
  return format <= 8 || format == format_aac || format == 11 || format == 14;
}

std::uint32_t read_24 (const std::uint8_t *p) {
  return static_cast<std::uint32_t>(p[0]) << 16 | static_cast<std::uint32_t>(p[1]) << 8 | p[2];
}

void write_24 (std::uint8_t *p, std::uint32_t value) {
  p[0] = static_cast<std::uint8_t>(value >> 16);
  p[1] = static_cast<std::uint8_t>(value >> 8);
  p[2] = static_cast<std::uint8_t>(value);
}

}  // namespace

std::size_t FlvAudioFilter::body_size() const {
  return read_24(head_.data() + 1);
}

void FlvAudioFilter::push(std::span<const std::uint8_t> bytes, std::vector<std::uint8_t> &out) {
  while (!bytes.empty()) {
    std::size_t used = 0;
    switch (state_) {
      case State::not_flv:
        return;
      case State::signature:
      case State::head: {
        const std::size_t wanted = state_ == State::head ? head_.size() : signature_bytes;
        used = std::min(wanted - filled_, bytes.size());
        std::copy_n(bytes.begin(), used, head_.begin() + static_cast<std::ptrdiff_t>(filled_));
        filled_ += used;
        if (filled_ == wanted) {
          filled_ = 0;
          begin_tag();
        }
        break;
      }
      case State::skip:
        used = static_cast<std::size_t>(std::min<std::uint64_t>(to_skip_, bytes.size()));
        to_skip_ -= used;
        if (to_skip_ == 0)
          state_ = after_skip_;
        break;
      case State::body:
        used = std::min(body_size() - body_.size(), bytes.size());
        body_.insert(body_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(used));
        if (body_.size() == body_size())
          end_tag(out);
        break;
    }
    bytes = bytes.subspan(used);
  }
}

// The signature or a tag's head is whole: what follows it.
void FlvAudioFilter::begin_tag() {
  if (state_ == State::signature) {
    if (head_[0] != 'F' || head_[1] != 'L' || head_[2] != 'V') {
      state_ = State::not_flv;
      return;
    }
    header_size_ = static_cast<std::uint32_t>(head_[5]) << 24 | read_24(&head_[6]);
    if (header_size_ < signature_bytes || header_size_ > kMostHeader) {
      state_ = State::not_flv;
      return;
    }
    to_skip_ = header_size_ - signature_bytes + trailer_bytes;
    state_ = State::skip;
    return;
  }
  const std::uint8_t type = head_[0] & type_mask;
  const bool readable = !(head_[0] & encrypted_flag) && body_size() > 0 && body_size() <= kMostBody;
  if (type == type_audio && readable) {
    body_.clear();
    state_ = State::body;
    return;
  }
  if (type == type_video)
    counts_.video++;
  else if (type == type_script)
    counts_.script++;
  else
    counts_.refused++;
  to_skip_ = body_size() + trailer_bytes;
  state_ = State::skip;
}

// Whether the tag is of the codec that goes on, which the first one decides.
bool FlvAudioFilter::choose(unsigned format, bool enhanced) {
  if (!is_known(format) && format != format_enhanced) {
    counts_.unknown_codec++;
    left_out_ = format;
    return false;
  }
  if (!codec_) {
    codec_ = format;
    enhanced_ = enhanced;
  }
  if (*codec_ == format && enhanced_ == enhanced)
    return true;
  counts_.other_codec++;
  left_out_ = format;
  return false;
}

// AAC in Enhanced RTMP's way becomes AAC in the old way, which a demuxer knows. Its packet types 0
// and 1 are the same; the others are none of AAC.
bool FlvAudioFilter::unwrap() {
  if (body_[0] >> 4 != format_enhanced || body_.size() < enhanced_head ||
      !std::equal(letters_aac.begin(), letters_aac.end(), body_.begin() + 1))
    return false;
  const std::array<std::uint8_t, 2> old = {aac_flags, static_cast<std::uint8_t>(body_[0] & 0x0f)};
  body_.erase(body_.begin(), body_.begin() + enhanced_head - old.size());
  std::copy(old.begin(), old.end(), body_.begin());
  write_24(&head_[1], static_cast<std::uint32_t>(body_.size()));
  return true;
}

void FlvAudioFilter::set_body(std::vector<std::uint8_t> body) {
  body_ = std::move(body);
  write_24(&head_[1], static_cast<std::uint32_t>(body_.size()));
}

// Of Opus nothing but heads and packets goes on. A packet needs no head: it says all of itself.
bool FlvAudioFilter::is_wanted_opus(const OpusTag &tag) {
  using Kind = OpusTag::Kind;
  if (tag.kind == Kind::refused)
    counts_.refused++;
  if ((tag.kind != Kind::head && tag.kind != Kind::packet) || !choose(format_enhanced, true))
    return false;
  is_frame_ = tag.kind == Kind::packet;
  set_body(write_opus_tag(tag.kind, tag.data));
  return true;
}

bool FlvAudioFilter::is_wanted() {
  if (opus_ == Opus::passed) {
    const OpusTag tag = read_opus_tag(body_);
    if (tag.kind != OpusTag::Kind::foreign)
      return is_wanted_opus(tag);
  }
  const bool enhanced = unwrap();
  const unsigned format = body_[0] >> 4;
  // Of another codec than Opus.
  if (format == format_enhanced) {
    counts_.unknown_codec++;
    left_out_ = format;
    return false;
  }
  is_frame_ = format != format_aac || (body_.size() > 1 && body_[1] == aac_frame);
  if (!choose(format, enhanced))
    return false;
  if (format != format_aac)
    return true;
  if (body_.size() < 2 || (body_[1] != aac_config && body_[1] != aac_frame) ||
      (body_[1] == aac_config && body_.size() < least_config)) {
    counts_.refused++;
    return false;
  }
  if (body_[1] == aac_config) {
    has_config_ = true;
    return true;
  }
  if (!has_config_)
    counts_.without_config++;
  return has_config_;
}

// The sender's stamp has 32 bits, some say with a sign: only the way from one to the next counts.
// What is a little earlier than the base stays at it; a counter that began anew is a new base.
void FlvAudioFilter::count_stamp() {
  const std::uint32_t stamp = read_24(&head_[4]) | static_cast<std::uint32_t>(head_[7]) << 24;
  if (last_stamp_)
    media_ms_ += static_cast<std::int32_t>(stamp - *last_stamp_);
  else
    media_ms_ = base_ms_ = stamp;
  last_stamp_ = stamp;
  base_ms_ = media_ms_ < base_ms_ - restart_ms ? media_ms_ : base_ms_;
}

void FlvAudioFilter::end_tag(std::vector<std::uint8_t> &out) {
  to_skip_ = trailer_bytes;
  state_ = State::skip;
  if (!is_wanted())
    return;
  // A configuration is of no time: some senders stamp each with 0.
  if (is_frame_) {
    counts_.passed++;
    count_stamp();
  }
  out.reserve(out.size() + audio_header.size() + head_.size() + body_.size() + trailer_bytes);
  if (!wrote_header_)
    out.insert(out.end(), audio_header.begin(), audio_header.end());
  wrote_header_ = true;

  // Modulo, for what is below zero, too: kRewind is a power of two.
  const auto stamp = static_cast<std::uint32_t>(std::max(media_ms_, base_ms_) & (kRewind - 1));
  // Without the reserved bits, which make it an unknown type to flvdemux.
  head_[0] = type_audio;
  write_24(&head_[4], stamp & 0xffffff);
  head_[7] = static_cast<std::uint8_t>(stamp >> 24);
  const auto size = static_cast<std::uint32_t>(head_.size() + body_.size());
  std::array<std::uint8_t, trailer_bytes> trailer = {};
  write_24(&trailer[1], size);
  out.insert(out.end(), head_.begin(), head_.end());
  out.insert(out.end(), body_.begin(), body_.end());
  out.insert(out.end(), trailer.begin(), trailer.end());
}

}  // namespace agora
