// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the agora developers
// Out of an FLV byte stream, the audio tags of one codec and nothing else: what goes to a demuxer
// that fails at the first tag it doesn't know (flvdemux does), and clips what goes back in time.
//
// - Video, script data, other codecs, a second track and encrypted tags are left out, and counted.
// - AAC and MP3 in Enhanced RTMP's way (SoundFormat 9), also behind modifiers or as the first of
//   several tracks (enhanced-tag.hpp), are handed on in the old way. Opus of that kind in its
//   plainest form (opus-tag.hpp), for whoever reads it himself (opus-tag-reader.hpp): no demuxer
//   does. Other codecs of that kind are left out.
// - AAC frames before their configuration are left out: no decoder could use them.
// - The codec is that of the first configuration, or of the first two audio tags that are of the
//   same: a single odd tag at the beginning is left out.
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
#include <string>
#include <vector>

#include "gst/common/opus-tag.hpp"

namespace agora {

class FlvAudioFilter {
 public:
  // Bytes of a tag's body: a second of PCM in stereo at 48 kHz, and a third of that. Some send a
  // second at once. Longer ones are left out.
  static constexpr std::size_t kMostBody = 262'144;
  // Bytes of the stream's own header, by its DataOffset; it is 9 in all that is known. What says
  // more is taken for no FLV, or a broken one would be skipped for up to 4 GiB.
  static constexpr std::uint32_t kMostHeader = 65'536;
  // Milliseconds.
  static constexpr std::int64_t kRewind = std::int64_t{1} << 30;

  // What sound is coded in: SoundFormat, and the letters of an enhanced one.
  struct Codec {
    unsigned format = 0;
    FourLetters letters = {};

    bool operator==(const Codec &) const = default;
    // As a reader knows it: "MP3", or "codec fLaC" by its letters.
    std::string name () const;
  };

  // How many tags came, by what became of them.
  struct Counts {
    std::uint64_t passed = 0;          // audio frames that were handed on
    std::uint64_t configs = 0;         // the configurations among what was handed on
    std::uint64_t video = 0;           // left out, as are all that follow
    std::uint64_t script = 0;          // onMetaData and the like
    std::uint64_t no_sound = 0;        // audio that has none: an end, another track, a layout
    std::uint64_t other_codec = 0;     // audio of another codec than the one chosen
    std::uint64_t unknown_codec = 0;   // audio that no demuxer here knows
    std::uint64_t without_config = 0;  // AAC frames before their configuration
    std::uint64_t too_long = 0;        // audio, longer than kMostBody
    std::uint64_t encrypted = 0;
    std::uint64_t refused = 0;  // empty, cut off, or of no known kind

    // All that came.
    std::uint64_t tags () const;
    Counts operator-(const Counts &before) const;
  };

  // What there is to tell of a stream of which nothing is heard (flv-silence.hpp).
  struct Arrivals {
    Counts counts;
    Codec chosen;             // what is handed on
    Codec left_out;           // the last one that wasn't
    std::size_t longest = 0;  // body of those that were too long
  };

  // Takes any piece of the stream, and appends what is to go on to `out`: whole tags, and before
  // the first of them an FLV header.
  void push (std::span<const std::uint8_t> bytes, std::vector<std::uint8_t> &out);
  // Another stream: nothing is known any more.
  void reset () { *this = FlvAudioFilter(); }

  // The stream doesn't begin as FLV does; nothing more comes out.
  bool is_flv () const { return state_ != State::not_flv; }
  // The header's length as the stream says, once it has begun as FLV does; 0 before.
  std::uint32_t header_size () const { return header_size_; }
  const Counts &counts () const { return counts_; }
  // The SoundFormat of what is handed on: 10 is AAC, 9 Opus. Nothing before the first tag.
  std::optional<unsigned> codec () const;
  bool is_opus () const { return codec().value_or(0) == kEnhancedFormat; }
  Arrivals arrivals () const { return {counts_, chosen_.value_or(Codec()), left_out_, longest_}; }
  bool has_config () const { return has_config_; }

 private:
  enum class State { signature, skip, head, body, not_flv };

  void begin_tag ();
  void end_tag (std::vector<std::uint8_t> &out);
  bool unwrap (const EnhancedTag &tag);
  bool choose (Codec codec, bool is_config);
  bool leave_out (Codec codec, std::uint64_t &count);
  bool is_wanted_opus (const OpusTag &tag);
  bool has_sound (bool is_aac) const;
  bool is_wanted_plain (const FourLetters &letters);
  bool is_wanted ();
  void count_stamp ();
  void write (std::vector<std::uint8_t> &out);
  std::size_t body_size () const;
  void set_body (std::vector<std::uint8_t> body);

  State state_ = State::signature;
  State after_skip_ = State::head;
  std::uint64_t to_skip_ = 0;
  std::uint32_t header_size_ = 0;
  std::array<std::uint8_t, 11> head_ = {};
  std::size_t filled_ = 0;  // of the head or the signature
  std::vector<std::uint8_t> body_;

  Counts counts_;
  // Its letters are those of Enhanced RTMP's way; in the old one it is another track beside it.
  std::optional<Codec> chosen_;
  // The first tag, as long as it may be an odd one.
  struct Held {
    Codec codec;
    std::array<std::uint8_t, 11> head;
    std::vector<std::uint8_t> body;
  };
  std::optional<Held> held_;
  Codec left_out_;
  std::size_t longest_ = 0;
  bool has_config_ = false;
  bool wrote_header_ = false;

  std::optional<std::uint32_t> last_stamp_;  // of the sender
  bool is_frame_ = false;                    // what is_wanted() let through: no configuration
  std::int64_t media_ms_ = 0;                // of the last frame, wraps left out
  std::int64_t base_ms_ = 0;                 // of the first one, or where the counter began anew
};

}  // namespace agora
