// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Out of an FLV byte stream, the audio tags of one codec and nothing else: what goes to a demuxer
// that fails at the first tag it doesn't know (flvdemux does), and clips what goes back in time.
//
// - Video, script data, other codecs, a second track and encrypted tags are left out, and counted.
// - AAC in Enhanced RTMP's way (SoundFormat 9, "mp4a") is handed on in the old way. Opus of that
//   kind, where it is wanted, in its plainest form (opus-tag.hpp), for whoever reads it himself: no
//   demuxer does. Other codecs of that kind are left out.
// - AAC frames before their configuration are left out: no decoder could use them.
// - Timestamps are the sender's modulo kRewind, whatever those are: below zero, beyond 2^31,
//   wrapping. So a frame has the same one in each session that tells it. flvdemux takes the step
//   back at kRewind (2 s and more) for a new base, and goes on from where it was, for ever.
//
// Pure: bytes in, bytes out. Holds one tag at most, and none that is longer than kMostBody.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gst/common/opus-tag.hpp"

namespace agora {

class FlvAudioFilter {
 public:
  // Bytes of a tag's body: half a second of PCM in stereo at 48 kHz. Longer ones are left out.
  static constexpr std::size_t kMostBody = 96'000;
  // Bytes of the stream's own header, by its DataOffset; it is 9 in all that is known. What says
  // more is taken for no FLV, or a broken one would be skipped for up to 4 GiB.
  static constexpr std::uint32_t kMostHeader = 65'536;
  // Milliseconds.
  static constexpr std::int64_t kRewind = std::int64_t{1} << 30;

  // Whether Opus is one of the codecs that may go on.
  enum class Opus { left_out, passed };

  explicit FlvAudioFilter(Opus opus = Opus::left_out) : opus_(opus) {}

  // How many tags came, by what became of them.
  struct Counts {
    std::uint64_t passed = 0;          // audio frames that were handed on
    std::uint64_t video = 0;           // left out, as are all that follow
    std::uint64_t script = 0;          // onMetaData and the like
    std::uint64_t other_codec = 0;     // audio of another codec than the one chosen
    std::uint64_t unknown_codec = 0;   // audio that no demuxer here knows
    std::uint64_t without_config = 0;  // AAC frames before their configuration
    std::uint64_t refused = 0;         // too long, empty, encrypted, or of no known kind
  };

  // Takes any piece of the stream, and appends what is to go on to `out`: whole tags, and before
  // the first of them an FLV header.
  void push (std::span<const std::uint8_t> bytes, std::vector<std::uint8_t> &out);
  // Another stream: nothing is known any more.
  void reset () { *this = FlvAudioFilter(opus_); }

  // The stream doesn't begin as FLV does; nothing more comes out.
  bool is_flv () const { return state_ != State::not_flv; }
  // The header's length as the stream says, once it has begun as FLV does; 0 before.
  std::uint32_t header_size () const { return header_size_; }
  const Counts &counts () const { return counts_; }
  // The SoundFormat of what is handed on: 10 is AAC, 9 Opus. Nothing before the first tag.
  std::optional<unsigned> codec () const { return codec_; }
  // value_or(): compilers look at the value of what has none, too, and memcheck tells.
  bool is_opus () const { return codec_.value_or(0) == kEnhancedFormat; }
  // The SoundFormat that was last left out, for whoever has to say why nothing is heard.
  std::optional<unsigned> left_out () const { return left_out_; }
  bool has_config () const { return has_config_; }

 private:
  enum class State { signature, skip, head, body, not_flv };

  void begin_tag ();
  void end_tag (std::vector<std::uint8_t> &out);
  bool unwrap ();
  bool choose (unsigned format, bool enhanced);
  bool is_wanted_opus (const OpusTag &tag);
  bool is_wanted ();
  void count_stamp ();
  std::size_t body_size () const;
  void set_body (std::vector<std::uint8_t> body);

  Opus opus_;
  State state_ = State::signature;
  State after_skip_ = State::head;
  std::uint64_t to_skip_ = 0;
  std::uint32_t header_size_ = 0;
  std::array<std::uint8_t, 11> head_ = {};
  std::size_t filled_ = 0;  // of the head or the signature
  std::vector<std::uint8_t> body_;

  Counts counts_;
  std::optional<unsigned> codec_;
  bool enhanced_ = false;  // Enhanced RTMP's way; the old one beside it is another track
  std::optional<unsigned> left_out_;
  bool has_config_ = false;
  bool wrote_header_ = false;

  std::optional<std::uint32_t> last_stamp_;  // of the sender
  bool is_frame_ = false;                    // what is_wanted() let through: no configuration
  std::int64_t media_ms_ = 0;                // of the last frame, wraps left out
  std::int64_t base_ms_ = 0;                 // of the first one, or where the counter began anew
};

}  // namespace agora
