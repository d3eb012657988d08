// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/common/flv-audio-filter.hpp"

#include <algorithm>
#include <cctype>
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
constexpr unsigned format_mp3 = 2;
// What a body begins with in the old way: the format, 44.1 kHz, 16 bits, stereo. Decoders know
// better.
constexpr std::uint8_t aac_flags = format_aac << 4 | 0x0f;
constexpr std::uint8_t mp3_flags = format_mp3 << 4 | 0x0f;
constexpr FourLetters letters_aac = {'m', 'p', '4', 'a'};
constexpr FourLetters letters_mp3 = {'.', 'm', 'p', '3'};
constexpr std::uint8_t aac_config = 0;
constexpr std::uint8_t aac_frame = 1;
// An AudioSpecificConfig has two bytes at the least.
constexpr std::size_t least_config = 2 + 2;
// Further back than this is no wobble of a clock.
constexpr std::int64_t restart_ms = 2000;
// A first tag that is longer is worth more than what a second one would tell.
constexpr std::size_t most_held = 8192;

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

std::string FlvAudioFilter::Codec::name() const {
  static constexpr std::array<const char *, 12> names = {
      "PCM",           "ADPCM",          "MP3",   "PCM", "Nellymoser", "Nellymoser", "Nellymoser",
      "G.711 (A-law)", "G.711 (mu-law)", nullptr, "AAC", "Speex"};
  const auto is_readable = [] (std::uint8_t c) {
    return c < 0x80 && (std::isalnum(c) || c == '.' || c == '-' || c == ' ');
  };
  if (letters == letters_aac)
    return "AAC";
  if (letters == letters_mp3 || format == 14)
    return "MP3";
  if (letters == kOpusLetters)
    return "Opus";
  if (letters != FourLetters{} && std::ranges::all_of(letters, is_readable))
    return "codec " + std::string(letters.begin(), letters.end());
  if (format < names.size() && names[format])
    return names[format];
  return "SoundFormat " + std::to_string(format);
}

std::uint64_t FlvAudioFilter::Counts::tags() const {
  return passed + configs + video + script + no_sound + other_codec + unknown_codec +
         without_config + too_long + encrypted + refused;
}

FlvAudioFilter::Counts FlvAudioFilter::Counts::operator-(const Counts &before) const {
  return {passed - before.passed,
          configs - before.configs,
          video - before.video,
          script - before.script,
          no_sound - before.no_sound,
          other_codec - before.other_codec,
          unknown_codec - before.unknown_codec,
          without_config - before.without_config,
          too_long - before.too_long,
          encrypted - before.encrypted,
          refused - before.refused};
}

std::optional<unsigned> FlvAudioFilter::codec() const {
  return chosen_ ? std::make_optional(chosen_->format) : std::nullopt;
}

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
  const bool is_encrypted = head_[0] & encrypted_flag;
  const bool is_too_long = body_size() > kMostBody;
  if (type == type_audio && !is_encrypted && !is_too_long && body_size() > 0) {
    body_.clear();
    state_ = State::body;
    return;
  }
  if (type == type_video)
    counts_.video++;
  else if (type == type_script)
    counts_.script++;
  else if (is_encrypted)
    counts_.encrypted++;
  else if (type == type_audio && is_too_long)
    counts_.too_long++;
  else
    counts_.refused++;
  if (type == type_audio && is_too_long)
    longest_ = std::max(longest_, body_size());
  to_skip_ = body_size() + trailer_bytes;
  state_ = State::skip;
}

bool FlvAudioFilter::leave_out(Codec codec, std::uint64_t &count) {
  count++;
  left_out_ = codec;
  return false;
}

// Whether the tag is of the codec that goes on. One that may be odd is held back until the next one
// tells.
bool FlvAudioFilter::choose(Codec codec, bool is_config) {
  if (!chosen_ && held_ && held_->codec != codec) {
    leave_out(held_->codec, counts_.other_codec);
    held_.reset();
  }
  if (!chosen_ && !held_ && !is_config && body_.size() <= most_held) {
    held_ = Held{codec, head_, body_};
    return false;
  }
  if (!chosen_)
    chosen_ = codec;
  return *chosen_ == codec || leave_out(codec, counts_.other_codec);
}

void FlvAudioFilter::set_body(std::vector<std::uint8_t> body) {
  body_ = std::move(body);
  write_24(&head_[1], static_cast<std::uint32_t>(body_.size()));
}

// AAC and MP3 in Enhanced RTMP's way become what they are in the old way, which a demuxer knows.
// The packet types 0 and 1 are the same of AAC; the others are none of it.
bool FlvAudioFilter::unwrap(const EnhancedTag &tag) {
  std::vector<std::uint8_t> old;
  if (tag.letters == letters_aac && tag.type <= EnhancedTag::coded_frames)
    old = {aac_flags, static_cast<std::uint8_t>(tag.type)};
  else if (tag.letters == letters_mp3 && tag.type == EnhancedTag::coded_frames)
    old = {mp3_flags};
  else
    return false;
  old.insert(old.end(), tag.data.begin(), tag.data.end());
  set_body(std::move(old));
  return true;
}

// Of Opus nothing but heads and packets goes on. A packet needs no head: it says all of itself.
bool FlvAudioFilter::is_wanted_opus(const OpusTag &tag) {
  using Kind = OpusTag::Kind;
  if (tag.kind != Kind::head && tag.kind != Kind::packet) {
    (tag.kind == Kind::refused ? counts_.refused : counts_.no_sound)++;
    return false;
  }
  is_frame_ = tag.kind == Kind::packet;
  // What it lies in goes.
  set_body(write_opus_tag(tag.kind, tag.data));
  return choose({format_enhanced, kOpusLetters}, !is_frame_);
}

bool FlvAudioFilter::is_wanted() {
  const EnhancedTag tag = EnhancedTag::read(body_);
  if (tag.kind == EnhancedTag::Kind::foreign)
    return is_wanted_plain({});
  if (tag.kind != EnhancedTag::Kind::plain) {
    (tag.kind == EnhancedTag::Kind::refused ? counts_.refused : counts_.no_sound)++;
    return false;
  }
  if (tag.letters == kOpusLetters)
    return is_wanted_opus(read_opus_tag(tag));
  const FourLetters letters = tag.letters;
  if (letters != letters_aac && letters != letters_mp3)
    return leave_out({format_enhanced, letters}, counts_.unknown_codec);
  if (unwrap(tag))
    return is_wanted_plain(letters);
  counts_.no_sound++;
  return false;
}

// Whether there is something behind its head.
bool FlvAudioFilter::has_sound(bool is_aac) const {
  if (!is_aac)
    return body_.size() > 1;
  return body_.size() > 2 &&
         ((body_[1] == aac_config && body_.size() >= least_config) || body_[1] == aac_frame);
}

// In the old way, or made so.
bool FlvAudioFilter::is_wanted_plain(const FourLetters &letters) {
  const unsigned format = body_[0] >> 4;
  const Codec codec = {format, letters};
  if (!is_known(format))
    return leave_out(codec, counts_.unknown_codec);
  if (chosen_ && *chosen_ != codec)
    return leave_out(codec, counts_.other_codec);
  const bool is_aac = format == format_aac;
  if (!has_sound(is_aac)) {
    counts_.refused++;
    return false;
  }
  is_frame_ = true;
  if (!is_aac)
    return choose(codec, false);
  is_frame_ = body_[1] == aac_frame;
  if (is_frame_ && !has_config_) {
    counts_.without_config++;
    return false;
  }
  has_config_ = true;
  return choose(codec, !is_frame_);
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
  if (held_) {
    std::swap(head_, held_->head);
    body_.swap(held_->body);
    const bool is_frame = std::exchange(is_frame_, true);
    write(out);
    is_frame_ = is_frame;
    std::swap(head_, held_->head);
    body_.swap(held_->body);
    held_.reset();
  }
  write(out);
}

void FlvAudioFilter::write(std::vector<std::uint8_t> &out) {
  // A configuration is of no time: some senders stamp each with 0.
  if (is_frame_) {
    counts_.passed++;
    count_stamp();
  } else {
    counts_.configs++;
  }
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
